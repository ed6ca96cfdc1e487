"""What one training step does: where a text is shifted and how far, how far two readings of it are apart, and
which rows of the embedding move."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from conftest import TINY, make_rows
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration, ModelConfig, TrainConfig
from yeoun.data.batches import collate
from yeoun.data.tokens import TokenStore
from yeoun.errors import ConfigError
from yeoun.inference import torch_forward
from yeoun.nn.classifier import TextClassifier
from yeoun.training import loop
from yeoun.training.fit import fit
from yeoun.training.labels import learn_labels
from yeoun.training.objective import adversary, disagreement, objective
from yeoun.training.optimization import (
    averaged,
    build_optimizer,
    clip_gradients,
    keep_average,
    learning_rate,
)

STEPS, WIDTH = 7, 5
LENGTHS = torch.tensor([7, 3, 1, 0])


def with_gradient(scale: float) -> torch.Tensor:
    """Return vectors [T, N, E] with a gradient that is 0 at padding."""
    generator = torch.Generator().manual_seed(0)
    embedded = torch.randn(STEPS, len(LENGTHS), WIDTH, generator=generator)
    real = (torch.arange(STEPS).unsqueeze(1) < LENGTHS).unsqueeze(2)
    embedded.grad = torch.randn(embedded.shape, generator=generator) * real * scale
    return embedded


@pytest.mark.parametrize("scale", [1e3, 1.0, 1e-6])
def test_a_text_is_shifted_by_the_share_of_a_tokens_norm_along_its_gradient(scale: float) -> None:
    embedded = with_gradient(scale)
    shift = adversary(embedded, LENGTHS, 0.25)
    assert embedded.grad is not None
    for row, length in enumerate(LENGTHS[:3].tolist()):
        token_norm = embedded[:length, row].square().sum().div(length).sqrt()
        torch.testing.assert_close(shift[:, row].norm(), 0.25 * token_norm)
        along = torch.cosine_similarity(shift[:, row].flatten(), embedded.grad[:, row].flatten(), dim=0)
        assert along > 0.999


@pytest.mark.parametrize("scale", [1e-18, 1e-24, 0.0])
def test_a_gradient_too_small_to_square_shifts_hardly(scale: float) -> None:
    assert adversary(with_gradient(scale), LENGTHS, 0.25).abs().max() < 1e-4


def test_padding_neither_moves_nor_counts_towards_the_shift() -> None:
    embedded = with_gradient(1.0)
    noisy = embedded.clone()
    noisy[3:, 1:] += 100.0  # past the ends of all but the first text
    noisy.grad = embedded.grad
    shift = adversary(embedded, LENGTHS, 0.25)
    assert torch.equal(adversary(noisy, LENGTHS, 0.25), shift)
    assert (shift[:, 3] == 0).all()
    assert (shift[3:, 1] == 0).all()


@pytest.mark.parametrize("weighed", [False, True])
def test_two_readings_are_as_far_apart_as_their_divergences_say(weighed: bool) -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    labels, weights = torch.tensor([0, 1, 2] * 2), torch.tensor([0.5, 2.0, 0.5] * 2)
    first, second = logits[:3].softmax(1), logits[3:].softmax(1)
    both_ways = (first * (first / second).log() + second * (second / first).log()).sum(1)
    wanted = (both_ways * weights[:3] if weighed else both_ways).mean() / 4
    torch.testing.assert_close(disagreement(logits, labels, weights if weighed else None), wanted)


def test_two_readings_of_one_score_or_of_several_labels_are_apart_as_those_of_two_classes() -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.zeros(6, dtype=torch.int64)
    each = [disagreement(torch.stack([0 * score, score], 1), labels) for score in logits.T]
    torch.testing.assert_close(disagreement(logits[:, :1], labels), each[0])
    torch.testing.assert_close(disagreement(logits, labels.repeat(3, 1).T), torch.stack(each).mean())


@pytest.mark.parametrize("weighed", [False, True])
def test_two_readings_teach_their_labels_and_to_agree(weighed: bool) -> None:
    config = ModelConfig(hidden_size=4, embedding_size=WIDTH, dropout=0.5, word_dropout=0.3)
    model = TextClassifier(config, 30, 2).train()
    store, labels = TokenStore(np.arange(2, 26, dtype=np.int32), np.arange(0, 25, 3)), np.arange(8) % 2
    weights = torch.linspace(0.5, 1.5, 8) if weighed else None
    batch = collate(store, np.array([5, 0, 7]), labels)
    torch.manual_seed(1)
    learn_labels(model, TrainConfig(consistency=3.0), weights)(batch, lambda: None)
    gradient = model.head.weight.grad
    ids, lengths, twice = (
        torch.from_numpy(batch.token_ids),
        torch.from_numpy(batch.lengths),
        batch.rows.tolist() * 2,
    )
    torch.manual_seed(1)
    logits = model(ids.repeat(2, 1), lengths.repeat(2))
    truth, counted = torch.from_numpy(labels)[twice], None if weights is None else weights[twice]
    wanted = objective(logits, truth, 0.0, counted) + 3.0 * disagreement(logits, truth, counted)
    torch.testing.assert_close(gradient, torch.autograd.grad(wanted, model.head.weight)[0])


def test_two_readings_alike_teach_what_one_teaches() -> None:
    model = network()
    store = TokenStore(np.arange(2, 26, dtype=np.int32), np.arange(0, 25, 3))
    batch = collate(store, np.arange(8), np.arange(8) % 2)
    gradients = []
    for consistency in (0.0, 5.0):
        model.zero_grad()
        learn_labels(model, TrainConfig(consistency=consistency), None)(batch, lambda: None)
        gradients.append(model.head.weight.grad)
    torch.testing.assert_close(*gradients)


def network() -> TextClassifier:
    torch.manual_seed(0)
    config = ModelConfig(hidden_size=4, embedding_size=WIDTH, dropout=0.0, initialization="torch")
    return TextClassifier(config, 30, 2)


def step(model: TextClassifier, optimizer: torch.optim.Optimizer, token_ids: list[list[int]]) -> None:
    optimizer.zero_grad()
    lengths = torch.tensor([len(row) for row in token_ids])
    model(torch.tensor(token_ids), lengths).square().sum().backward()
    clip_gradients(model.parameters(), 1.0)
    optimizer.step()


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "rmsprop", "keras-rmsprop"])
def test_the_average_of_the_weights_forgets_the_start_and_then_moves_slowly(optimizer: str) -> None:
    model = network()
    optimiser = build_optimizer(model, TrainConfig(optimizer=optimizer, learning_rate=0.1))
    expected: dict[str, torch.Tensor] = {}
    for number, token_ids in enumerate([[[3, 4, 5]], [[5, 5, 9]], [[7]], [[3, 9]]]):
        step(model, optimiser, token_ids)
        keep_average(optimiser, 0.3, number)
        share = min(0.3, (1 + number) / (10 + number))
        for name, now in model.state_dict().items():
            before = expected.get(name, now)
            expected[name] = share * before + (1 - share) * now
    average = averaged(model, optimiser)
    for name, tensor in average.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])
    assert not torch.equal(average.head.weight, model.head.weight)


def test_a_model_of_averaged_weights_is_not_the_one_of_the_last_step() -> None:
    def train(average: float) -> ModelBundle:
        values = {**TINY, "train.average": average, "train.epochs": 2, "train.select_by": "last"}
        return fit(make_rows(60), Configuration().with_values(values), seed=0, precision="fp32")

    plain, slow, hardly = (train(average) for average in (0.0, 0.9, 1e-7))
    for name, array in plain.weights.items():
        np.testing.assert_allclose(hardly.weights[name], array, atol=1e-5)
    assert any(np.abs(slow.weights[name] - array).max() > 1e-3 for name, array in plain.weights.items())
    assert slow.history[0]["validation_loss"] != plain.history[0]["validation_loss"]


def test_training_that_runs_away_says_so_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"validation_loss": float("nan"), "validation_accuracy": 0.5}
    monkeypatch.setattr("yeoun.training.half.score_labels", lambda *_: lambda network: figures)
    with pytest.raises(ConfigError, match=r"loss is nan after epoch 1: .* lower train\.learning_rate"):
        fit(make_rows(60), Configuration().with_values(TINY), precision="fp32")


def test_training_follows_the_rate_of_its_plateau(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, float]] = []

    def spied(step: int, steps: int, losses: Sequence[float], config: TrainConfig) -> float:
        rate = learning_rate(step, steps, losses, config)
        seen.append((len(losses), rate))
        return rate

    monkeypatch.setattr(loop, "learning_rate", spied)
    values = {**TINY, "train.schedule": "plateau", "train.learning_rate": 1.0, "train.epochs": 6}
    bundle = fit(make_rows(60), Configuration().with_values(values), seed=0, precision="fp32")
    losses = [record["validation_loss"] for record in bundle.history]
    assert any(losses[i] >= min(losses[:i]) for i in range(1, 5)), "a rate of 1 overshoots somewhere"
    for epochs, rate in seen:
        setbacks = sum(losses[i] >= min(losses[:i]) for i in range(1, epochs))
        assert rate == 0.5**setbacks


def test_on_a_plateau_the_rate_is_halved_after_each_epoch_without_a_lower_loss() -> None:
    config = TrainConfig(schedule="plateau", learning_rate=0.8)
    losses = [0.7, 0.6, 0.65, 0.6, 0.5, 0.51]
    rates = [learning_rate(0, 1, losses[:epochs], config) for epochs in range(len(losses) + 1)]
    assert rates == [0.8, 0.8, 0.8, 0.4, 0.2, 0.2, 0.1]


def test_rows_of_the_embedding_that_no_batch_read_stay_bit_identical() -> None:
    model = network()
    before = model.embedding.weight.detach().clone()
    optimizer = build_optimizer(model, TrainConfig(weight_decay=0.5))
    for token_ids in ([[3, 4, 5]], [[5, 5, 9]]):
        step(model, optimizer, token_ids)
    moved = (model.embedding.weight != before).any(1)
    assert np.flatnonzero(moved.numpy()).tolist() == [3, 4, 5, 9]
    untouched = optimizer.state[model.embedding.weight]["exp_avg_sq"][~moved]
    assert (untouched == 0).all()


def test_the_first_step_moves_a_row_that_was_read_as_adam_without_momentum_does() -> None:
    model, dense = network(), network()
    config = TrainConfig(learning_rate=0.01, weight_decay=0.1)
    step(model, build_optimizer(model, config), [[3, 4, 5]])
    other = torch.optim.AdamW(dense.parameters(), lr=0.01, betas=(0.0, 0.999), eps=1e-8, weight_decay=0.1)
    step(dense, other, [[3, 4, 5]])
    torch.testing.assert_close(model.embedding.weight[3:6], dense.embedding.weight[3:6])


def test_a_program_that_asks_for_it_takes_denormal_numbers_for_zero() -> None:
    code = (
        "import torch; from yeoun.process import tune_process; small = torch.tensor([1e-38]);"
        "print(float(small / 100) > 0); tune_process(); print(float(small / 100) > 0)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "False"]


def test_sparse_and_dense_gradients_are_clipped_together() -> None:
    model, dense = network(), network()
    model.embedding.sparse = True
    for each in (model, dense):
        each(torch.tensor([[3, 3, 5]]), torch.tensor([3])).square().sum().mul(100).backward()
    clip_gradients(model.parameters(), 0.5)
    nn.utils.clip_grad_norm_(dense.parameters(), 0.5)
    for ours, theirs in zip(model.parameters(), dense.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        if ours.grad is not None and theirs.grad is not None:
            torch.testing.assert_close(ours.grad.to_dense(), theirs.grad)


def test_answering_leaves_the_network_its_precision_so_threads_may_differ_in_theirs() -> None:
    model = network().train()
    batch = collate(TokenStore(np.array([3, 4, 5], np.int32), np.array([0, 3])), np.arange(1))
    alone = [torch_forward(model, precision)(batch) for precision in ("fp32", "bf16")]
    fp32, bf16 = (torch_forward(model, precision) for precision in ("fp32", "bf16"))
    together = [fp32(batch), bf16(batch), fp32(batch)]
    assert [answer.tolist() for answer in together] == [each.tolist() for each in (*alone, alone[0])]
    assert model.precision == "fp32"
    assert all(module.training for module in model.modules())
