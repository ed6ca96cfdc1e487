"""torch's layers equal the written-out equations, in values and gradients."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from yeoun.nn.cells import CELLS, GATES, State, unroll, weigh_input
from yeoun.nn.masking import reversal_index, reverse
from yeoun.nn.recurrent import RecurrentLayer, RecurrentStack

TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 4e-2}
STEPS, ROWS, WIDTH, HIDDEN = 11, 4, 6, 8


def inputs_and_lengths(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    inputs = torch.randn(STEPS, ROWS, WIDTH, dtype=torch.float64)
    return inputs.to(dtype), torch.tensor([11, 1, 6, 9])


def by_the_equations(stack: RecurrentStack, encoder: str, inputs: Tensor, lengths: Tensor) -> Tensor:
    """Each row on its own, each direction on its own, without any padding."""
    step, rows = CELLS[encoder], []
    for n, length in enumerate(lengths.tolist()):
        outputs = inputs[:length, n : n + 1]
        whole = torch.tensor([length])
        for depth, ahead in enumerate(stack.forwards):
            states = unroll(step, outputs, whole, ahead.weights)
            if stack.backwards:
                behind = unroll(step, outputs.flip(0), whole, stack.backwards[depth].weights).flip(0)
                states = torch.cat([states, behind], dim=2)
            outputs = states
        rows.append(torch.nn.functional.pad(outputs, (0, 0, 0, 0, 0, STEPS - length)))
    return torch.cat(rows, dim=1)


@pytest.mark.parametrize(
    ("encoder", "bidirectional", "layers", "dtype"),
    list(itertools.product(CELLS, (False, True), (1, 3), TOLERANCES)),
)
def test_the_fused_stack_equals_the_equations_in_values_and_gradients(
    encoder: str, bidirectional: bool, layers: int, dtype: torch.dtype
) -> None:
    inputs, lengths = inputs_and_lengths(dtype)
    torch.manual_seed(2)
    stack = RecurrentStack(encoder, WIDTH, HIDDEN, layers, bidirectional, 0.0, "torch")
    stack.to(torch.float64 if dtype == torch.float64 else torch.float32)
    real = (torch.arange(STEPS).unsqueeze(1) < lengths).unsqueeze(2)
    reference_inputs = inputs.double() if dtype == torch.bfloat16 else inputs
    results = []
    for run, given in (
        (lambda x: stack(x, lengths).joined(), inputs),
        (lambda x: by_the_equations(stack, encoder, x, lengths), reference_inputs),
    ):
        if dtype == torch.bfloat16 and given is reference_inputs:
            stack.double()
        stack.zero_grad()
        given = given.clone().requires_grad_()
        outputs = run(given).double() * real
        outputs.square().sum().backward()
        grads = [p.grad.double().clone() for p in stack.parameters()]
        results.append((outputs.detach(), given.grad.double(), grads))
    (fused, fused_input, fused_grads), (equations, equation_input, equation_grads) = results
    tolerance = TOLERANCES[dtype]
    torch.testing.assert_close(fused, equations, rtol=tolerance, atol=tolerance)
    for a, b in zip([fused_input, *fused_grads], [equation_input, *equation_grads], strict=True):
        scale = max(1.0, float(b.abs().max()))
        torch.testing.assert_close(a / scale, b / scale, rtol=0, atol=tolerance)


@pytest.mark.parametrize("encoder", CELLS)
def test_a_cell_names_every_gate_it_has(encoder: str) -> None:
    layer = RecurrentLayer(encoder, WIDTH, HIDDEN, "torch")
    zero = torch.zeros(ROWS, HIDDEN)
    _, gates = CELLS[encoder](
        weigh_input(torch.randn(ROWS, WIDTH), layer.weights), State(zero, zero), layer.weights
    )
    assert len(gates) == (GATES[encoder] if encoder != "rnn" else 0)
    assert all(gate.shape == (ROWS, HIDDEN) for gate in gates.values())


def test_reversal_is_its_own_inverse_and_its_backward_is_itself() -> None:
    sequence = torch.randn(STEPS, ROWS, WIDTH, dtype=torch.float64, requires_grad=True)
    index = reversal_index(torch.tensor([11, 1, 0, 7]), STEPS)
    assert torch.equal(reverse(reverse(sequence, index), index), sequence)
    assert torch.autograd.gradcheck(lambda x: reverse(x, index), (sequence,))


def test_keras_initialization_has_one_bias_and_a_forget_bias_of_one() -> None:
    layer = RecurrentLayer("lstm", WIDTH, HIDDEN, "keras")
    assert not layer.bias_hidden.requires_grad
    assert (layer.bias_hidden == 0).all()
    assert layer.bias_input.tolist() == [0.0] * HIDDEN + [1.0] * HIDDEN + [0.0] * 2 * HIDDEN
    whole = layer.weight_hidden.T @ layer.weight_hidden
    torch.testing.assert_close(whole, torch.eye(HIDDEN))
