"""Rows divided among threads give what they give together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from yeoun.nn.recurrent import RecurrentLayer, RecurrentStack
from yeoun.nn.shards import SMALLEST, in_shards

ROWS = 3 * SMALLEST + 5
DTYPES = (torch.float32, torch.bfloat16)


@pytest.fixture(autouse=True, params=(2, 3))
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def layer_and_inputs(encoder: str, dtype: torch.dtype) -> tuple[RecurrentLayer, Tensor]:
    torch.manual_seed(0)
    layer = RecurrentLayer(encoder, 6, 10, "keras")
    return layer, torch.randn(13, ROWS, 6, dtype=dtype, requires_grad=True)


def whole(layer: RecurrentLayer, inputs: Tensor) -> Tensor:
    return layer._run(inputs, [weight.to(inputs.dtype) for weight in layer.weights])


def gradients(outputs: Tensor, layer: nn.Module, inputs: Tensor) -> list[Tensor]:
    torch.manual_seed(1)
    wanted = [inputs, *(p for p in layer.parameters() if p.requires_grad)]
    return list(torch.autograd.grad(outputs, wanted, torch.randn_like(outputs)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("encoder", ["lstm", "gru", "rnn"])
def test_divided_rows_give_the_same_bits(encoder: str, dtype: torch.dtype) -> None:
    layer, inputs = layer_and_inputs(encoder, dtype)
    together = whole(layer, inputs)
    assert torch.equal(layer(inputs), together)
    for asks_no_gradient in (torch.no_grad, torch.inference_mode):
        with asks_no_gradient():
            answer = layer(inputs)
        assert torch.equal(answer, together)
        assert not answer.requires_grad


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("encoder", ["lstm", "gru", "rnn"])
def test_divided_rows_give_the_same_gradients(encoder: str, dtype: torch.dtype) -> None:
    layer, inputs = layer_and_inputs(encoder, dtype)
    exact, *of_weights = gradients(whole(layer, inputs), layer, inputs)
    divided, *summed = gradients(layer(inputs), layer, inputs)
    assert torch.equal(divided, exact)
    limit = 1e-5 if dtype == torch.float32 else 2e-2
    for ours, theirs in zip(summed, of_weights, strict=True):
        assert (ours - theirs).abs().max() <= limit * theirs.abs().max()


@pytest.mark.parametrize("dtype", DTYPES)
def test_divided_rows_give_the_same_gradients_each_time(dtype: torch.dtype) -> None:
    layer, inputs = layer_and_inputs("lstm", dtype)
    first, second = (gradients(layer(inputs), layer, inputs) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_layer_whose_inputs_are_fixed_learns_all_the_same() -> None:
    layer, inputs = layer_and_inputs("lstm", torch.float32)
    fixed = inputs.detach()
    layer(fixed).sum().backward()
    summed = layer.weight_hidden.grad
    layer.weight_hidden.grad = None
    whole(layer, fixed).sum().backward()
    torch.testing.assert_close(summed, layer.weight_hidden.grad)


def test_a_stack_of_both_directions_is_divided_layer_by_layer() -> None:
    torch.manual_seed(0)
    stack = RecurrentStack("gru", 6, 10, 2, True, 0.0, "torch")
    inputs = torch.randn(13, ROWS, 6, requires_grad=True)
    lengths = torch.randint(0, 14, (ROWS,))
    divided = stack(inputs, lengths).joined()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    together = stack(inputs, lengths).joined()
    torch.set_num_threads(threads)
    assert torch.equal(divided, together)
    torch.testing.assert_close(gradients(divided, stack, inputs), gradients(together, stack, inputs))


def test_each_shard_is_read_on_one_thread_and_the_caller_keeps_its_own() -> None:
    seen: list[int] = []

    def kernel(inputs: Tensor, weights: list[Tensor]) -> Tensor:
        seen.append(torch.get_num_threads())
        return inputs

    threads = torch.get_num_threads()
    with torch.no_grad():
        in_shards(kernel, torch.zeros(2, ROWS, 3), [])
    assert seen == [1] * threads
    assert torch.get_num_threads() == threads


def test_few_rows_are_not_divided() -> None:
    seen: list[tuple[int, ...]] = []

    def kernel(inputs: Tensor, weights: list[Tensor]) -> Tensor:
        seen.append(tuple(inputs.shape))
        return inputs

    in_shards(kernel, torch.zeros(2, 2 * SMALLEST - 1, 3), [])
    assert seen == [(2, 2 * SMALLEST - 1, 3)]


def test_what_a_shard_raises_reaches_the_caller_who_keeps_the_threads() -> None:
    def kernel(inputs: Tensor, weights: list[Tensor]) -> Tensor:
        raise RuntimeError("no such kernel")

    threads = torch.get_num_threads()
    with pytest.raises(RuntimeError, match="no such kernel"):
        in_shards(kernel, torch.zeros(2, ROWS, 3), [])
    assert torch.get_num_threads() == threads
