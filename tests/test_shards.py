"""Rows divided among threads give what they give together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from threading import Thread

import pytest
import torch
from torch import Tensor, nn

from yeoun.config import ModelConfig
from yeoun.nn.classifier import TextClassifier
from yeoun.nn.pooling import POOLINGS
from yeoun.nn.shards import SMALLEST, by_rows, cores_for_shards
from yeoun.nn.two_views import Guesses, TwoViewModel

ROWS, VOCABULARY = 3 * SMALLEST + 5, 40
ENCODERS = ("rnn", "lstm", "gru", "convolution")


@pytest.fixture(autouse=True, params=(2, 3))
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def network_and_rows(precision: str = "fp32", **changed: object) -> tuple[TextClassifier, Tensor, Tensor]:
    torch.manual_seed(0)
    settings = {"embedding_size": 6, "hidden_size": 10, "layers": 2, "dropout": 0.3, **changed}
    network = TextClassifier(ModelConfig(**settings), VOCABULARY, 3)  # type: ignore[arg-type]
    network.precision = precision
    return network, torch.randint(3, VOCABULARY, (ROWS, 13)), torch.randint(0, 14, (ROWS,))


def on_one_thread(network: nn.Module, token_ids: Tensor, lengths: Tensor) -> Tensor:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        logits: Tensor = network(token_ids, lengths)
        return logits
    finally:
        torch.set_num_threads(threads)


def gradients(logits: Tensor, network: nn.Module) -> list[Tensor]:
    wanted = [p for p in network.parameters() if p.requires_grad]
    return list(torch.autograd.grad(logits.square().sum(), wanted))


@pytest.mark.parametrize(("encoder", "pooling"), list(itertools.product(ENCODERS, POOLINGS)))
def test_divided_rows_give_the_same_answers_and_gradients(encoder: str, pooling: str) -> None:
    network, *rows = network_and_rows(
        encoder=encoder, pooling=pooling, bidirectional=encoder != "convolution"
    )
    network.eval()
    together, divided = on_one_thread(network, *rows), network(*rows)
    torch.testing.assert_close(divided, together, rtol=1e-6, atol=1e-6)
    for ours, theirs in zip(gradients(divided, network), gradients(together, network), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_divided_rows_give_the_bits_they_give_together(precision: str) -> None:
    network, *rows = network_and_rows(precision, pooling="last")
    network.eval()
    together = on_one_thread(network, *rows)
    assert torch.equal(network(*rows), together)
    for asks_no_gradient in (torch.no_grad, torch.inference_mode):
        with asks_no_gradient():
            answer = network(*rows)
        assert torch.equal(answer, together)
        assert not answer.requires_grad


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_seed_drops_the_same_units_and_moves_the_same_way(precision: str) -> None:
    network, *rows = network_and_rows(precision)
    outcomes = []
    for _ in range(3):
        torch.manual_seed(7)
        logits = network(*rows)
        outcomes.append([logits, *gradients(logits, network)])
    for again in outcomes[1:]:
        assert all(torch.equal(a, b) for a, b in zip(outcomes[0], again, strict=True))


def test_shards_drop_different_units() -> None:
    network, *rows = network_and_rows(dropout=0.5)
    same = [each[:1].expand(ROWS, *each.shape[1:]) for each in (rows[0], torch.tensor([13]))]
    network.config = ModelConfig(dropout=0.0)  # of the layers alone, which read in shards
    assert len(network(*same).unique(dim=0)) == ROWS


def test_an_encoder_whose_inputs_are_fixed_learns_all_the_same() -> None:
    network, *rows = network_and_rows(layers=1)
    network.eval()
    network.embedding.weight.requires_grad_(False)
    divided = gradients(network(*rows), network)
    for ours, theirs in zip(divided, gradients(on_one_thread(network, *rows), network), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def sums(inputs: Tensor, lengths: Tensor) -> Tensor:
    seen.append((torch.get_num_threads(), inputs.shape[1]))
    return inputs.sum(0)


seen: list[tuple[int, int]] = []


@pytest.mark.parametrize("manner", [nullcontext, cores_for_shards])
def test_each_shard_has_one_thread_and_the_caller_keeps_its_own(
    manner: type[AbstractContextManager[None]],
) -> None:
    seen.clear()
    threads = torch.get_num_threads()
    with manner(), torch.no_grad():
        summed = by_rows(sums, torch.ones(2, ROWS, 3), torch.ones(ROWS), [])
    assert torch.equal(summed, torch.full((ROWS, 3), 2.0))
    assert [used for used, _ in seen] == [1] * threads
    assert sum(rows for _, rows in seen) == ROWS
    assert torch.get_num_threads() == threads


def test_torch_keeps_to_one_thread_beside_shards_that_have_the_cores() -> None:
    threads = torch.get_num_threads()
    with cores_for_shards():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == threads


def test_new_threads_start_with_torchs_own_number_beside_shards_that_have_the_cores() -> None:
    threads, found = torch.get_num_threads(), []
    with cores_for_shards():
        asking = Thread(target=lambda: found.append(torch.get_num_threads()))
        asking.start()
        asking.join()
    assert found == [threads]


def test_cores_given_to_shards_twice_are_the_same() -> None:
    threads = torch.get_num_threads()
    seen.clear()
    with cores_for_shards():
        with cores_for_shards():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
        by_rows(sums, torch.zeros(2, ROWS, 3), torch.ones(ROWS), [])
    assert len(seen) == torch.get_num_threads() == threads


def test_divided_pieces_guess_the_same_and_give_the_same_gradients() -> None:
    network, token_ids, lengths = network_and_rows(dropout=0.0)
    model = TwoViewModel(network, torch.arange(1.0, 9.0)).eval()
    rest = torch.stack([torch.randperm(8)[:3] for _ in range(ROWS)])
    shares = torch.rand(ROWS, 3).softmax(1) * (torch.arange(ROWS) % 3 > 0).unsqueeze(1)

    class Guessing(nn.Module):
        def forward(self, token_ids: Tensor, lengths: Tensor) -> Tensor:
            found.append(model.guess(token_ids, lengths, rest, shares))
            return found[-1].loss

    found: list[Guesses] = []
    together, divided = on_one_thread(Guessing(), token_ids, lengths), Guessing()(token_ids, lengths)
    torch.testing.assert_close(divided, together)
    assert found[0][1:] == found[1][1:]
    learned = [p for name, p in model.named_parameters() if p.requires_grad and "head" not in name]
    for one, other in zip(*(torch.autograd.grad(loss, learned) for loss in (together, divided)), strict=True):
        torch.testing.assert_close(one, other)


def test_rows_that_do_not_divide_evenly_are_all_read() -> None:
    torch.set_num_threads(18)
    rows = torch.rand(2, 18 * SMALLEST + 1, 3, requires_grad=True)
    answer = by_rows(sums, rows, torch.ones(rows.shape[1]), [])
    answer.sum().backward()
    assert torch.equal(answer, rows.sum(0))
    assert torch.equal(rows.grad, torch.ones_like(rows))


def test_the_way_back_is_gone_once() -> None:
    rows = torch.rand(2, ROWS, 3, requires_grad=True)
    answer = by_rows(sums, rows, torch.ones(ROWS), []).sum()
    answer.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once"):
        answer.backward()


def test_few_rows_are_not_divided() -> None:
    seen.clear()
    by_rows(sums, torch.zeros(2, 2 * SMALLEST - 1, 3), torch.ones(2 * SMALLEST - 1), [])
    assert seen == [(torch.get_num_threads(), 2 * SMALLEST - 1)]


@pytest.mark.parametrize("manner", [nullcontext, cores_for_shards])
def test_what_a_shard_raises_reaches_the_caller_who_keeps_the_threads(
    manner: type[AbstractContextManager[None]],
) -> None:
    def fail(inputs: Tensor, lengths: Tensor) -> Tensor:
        raise RuntimeError("no such kernel")

    threads = torch.get_num_threads()
    with manner(), pytest.raises(RuntimeError, match="no such kernel"):
        by_rows(fail, torch.zeros(2, ROWS, 3), torch.ones(ROWS), [])
    assert torch.get_num_threads() == threads
