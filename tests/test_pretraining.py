"""Pretraining: what is guessed from what, how it is scored, and what a model starts from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import FLAGS, TINY, make_rows, write_csv
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration, ModelConfig
from yeoun.data.rows import Dataset
from yeoun.errors import BundleError, ConfigError, DataError, ResumeError
from yeoun.nn.classifier import TextClassifier
from yeoun.nn.language import LanguageModel, softmax_loss
from yeoun.pretrained import Pretrained
from yeoun.training.fit import fit
from yeoun.training.pretraining import pretrain
from yeoun.training.state import Progress, TrainingFolder

CLI = Callable[..., tuple[int, str, str]]
ORDERED = ["one two three four five six"] * 40  # what comes next is certain


def configuration(**changed: object) -> Configuration:
    values = {**TINY, "train.pretrain_epochs": 3}
    return Configuration().with_values({**values, **{k.replace("__", "."): v for k, v in changed.items()}})


def language_model(encoder: str = "lstm", bidirectional: bool = True) -> LanguageModel:
    torch.manual_seed(0)
    config = ModelConfig(encoder=encoder, hidden_size=6, embedding_size=5, bidirectional=bidirectional)
    return LanguageModel(TextClassifier(config, 30, 2), torch.arange(2, 20)).eval()


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 3e-2)])
@pytest.mark.parametrize("threads", [1, 2])
def test_loss_and_gradients_are_those_of_a_softmax_over_all_choices(
    precision: str, tolerance: float, threads: int
) -> None:
    torch.manual_seed(1)
    hidden, scores = torch.randn(1200, 8, requires_grad=True), torch.randn(40, 9, requires_grad=True)
    wanted = torch.randint(0, 40, (1200,))
    torch.set_num_threads(threads)
    loss, right = softmax_loss(hidden, scores, wanted, precision)
    torch.set_num_threads(1)
    found = torch.autograd.grad(loss, [hidden, scores])
    logits = hidden @ scores[:, :8].T + scores[:, 8]
    expected = torch.nn.functional.cross_entropy(logits, wanted, reduction="sum")
    torch.testing.assert_close(loss, expected, rtol=tolerance, atol=0)
    for ours, theirs in zip(found, torch.autograd.grad(expected, [hidden, scores]), strict=True):
        assert (ours - theirs).norm() < tolerance * theirs.norm()
    if precision == "fp32":
        assert int(right) == int((logits.argmax(1) == wanted).sum())


@pytest.mark.parametrize("encoder", ["rnn", "lstm", "gru"])
def test_a_text_is_guessed_the_same_beside_any_other(encoder: str) -> None:
    model, long = language_model(encoder), torch.randint(2, 30, (1, 17))
    short = torch.randint(2, 30, (1, 5))
    padded = torch.full((1, 17), 9)
    padded[:, :5] = short
    together = model.guess(torch.cat([padded, long]), torch.tensor([5, 17]))
    alone = [model.guess(text, torch.tensor([text.shape[1]])) for text in (short, long)]
    torch.testing.assert_close(together.loss, alone[0].loss + alone[1].loss)
    assert together.guesses == sum(each.guesses for each in alone) == 2 * (4 + 16)


@pytest.mark.parametrize("encoder", ["rnn", "lstm", "gru"])
def test_no_direction_sees_what_it_is_to_guess(encoder: str) -> None:
    """Of the gradient of each guess, what comes after what was read has none."""
    model, token_ids = language_model(encoder), torch.randint(2, 30, (1, 7))
    lengths = torch.tensor([7])
    embedded = model.network.embed(token_ids, lengths).detach().requires_grad_()
    states = model._states(embedded, lengths)
    for step in range(7):
        for direction, unseen in ((0, slice(step + 1, 7)), (1, slice(0, 6 - step))):
            (gradient,) = torch.autograd.grad(states[0, step, direction].sum(), embedded, retain_graph=True)
            assert gradient.abs().sum() > 0
            assert not gradient[unseen].any()


def test_perplexity_falls_towards_1_where_the_next_token_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yeoun.training.pretraining._TOKENS", 60)
    learned = pretrain(ORDERED * 5, configuration(train__pretrain_epochs=20, model__hidden_size=16))
    first, last = (learned.history[i]["validation_loss"] for i in (0, -1))
    assert last < 0.3 * first
    assert learned.figures["perplexity"] == pytest.approx(np.exp(last))
    assert learned.figures["next_token_accuracy"] > 0.95


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"model__encoder": "convolution"}, "recurrent"),
        ({"model__layers": 2}, "second layer"),
        ({"train__pretrain_epochs": 0}, "pretrain_epochs"),
    ],
)
def test_what_cannot_be_pretrained_is_refused(changed: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        pretrain(ORDERED, configuration(**changed))


def test_two_layers_of_one_direction_can_be_pretrained() -> None:
    learned = pretrain(ORDERED, configuration(model__layers=2, model__bidirectional=False))
    assert any(name.startswith("encoder.forwards.1.") for name in learned.weights)


def test_unlabelled_texts_without_passes_over_them_are_refused() -> None:
    with pytest.raises(ConfigError, match="pretrain_epochs"):
        fit(make_rows(40), configuration(train__pretrain_epochs=0), unlabelled=ORDERED)


def test_a_model_knows_the_words_of_the_unlabelled_texts_and_starts_from_them() -> None:
    rows = make_rows(60)
    alone = fit(rows, configuration(train__pretrain_epochs=0))
    first = fit(rows, configuration(), unlabelled=ORDERED)
    assert "three" in first.indexer.vocabulary()
    assert "three" not in alone.indexer.vocabulary()
    assert first.metrics["pretraining"]["texts"] == len(ORDERED) + 54
    again = fit(rows, configuration(), unlabelled=ORDERED)
    assert all(np.array_equal(first.weights[name], again.weights[name]) for name in first.weights)


def test_what_was_pretrained_comes_back_from_its_folder_and_is_what_a_model_starts_from(
    tmp_path: Path,
) -> None:
    learned = pretrain(list(make_rows(80, seed=1).texts), configuration())
    learned.save(tmp_path / "text", tmp_path / "staging")
    start = Pretrained.load(tmp_path / "text")
    assert start.checksum() == learned.checksum()
    assert start.history == learned.history
    asked = start.applied(configuration(train__pretrain_epochs=0, train__learning_rate=1e-9, train__epochs=1))
    bundle = fit(make_rows(60), asked, start=start)
    for name, array in start.weights.items():
        assert np.allclose(bundle.weights[name], array, atol=1e-6), name
    with pytest.raises(ConfigError, match="hidden_size"):
        fit(make_rows(60), replace(asked, model=replace(asked.model, hidden_size=9)), start=start)


def test_pretraining_that_was_cut_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yeoun.training.loop.steps_between_saves", lambda *_: 1)
    monkeypatch.setattr("yeoun.training.pretraining._TOKENS", 60)
    texts = list(make_rows(80).texts)
    whole = pretrain(texts, configuration())
    folder = TrainingFolder.of(tmp_path / "text")
    seen = 0

    def watch(progress: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen in (3, 7, 12):
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            pretrain(texts, configuration(), folder=folder, resume=True, watch=watch)
    resumed = pretrain(texts, configuration(), folder=folder, resume=True, watch=watch)
    assert resumed.checksum() == whole.checksum()
    with pytest.raises(ResumeError, match="texts"):
        pretrain(texts[1:], configuration(), folder=folder, resume=True)


def test_validation_texts_are_not_learned_from_where_they_come_without_labels_too() -> None:
    rows = make_rows(60)
    marked = Dataset([f"{text} only{i}" for i, text in enumerate(rows.texts)], rows.labels, rows.label_names)
    known = set(fit(marked, configuration(), unlabelled=marked.texts).indexer.vocabulary())
    assert len([i for i in range(60) if f"only{i}" in known]) == 54


def test_texts_without_a_next_token_are_refused() -> None:
    with pytest.raises(DataError, match="at least 2 tokens"):
        pretrain(["one", "two", "three"] * 9, configuration())


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_removal_cut_anywhere_leaves_nothing_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    folder = TrainingFolder.of(tmp_path / "model")
    fit(make_rows(40), configuration(), folder=folder, unlabelled=ORDERED)

    def some(path: Path, ignore_errors: bool = False) -> None:
        for each in sorted(p for p in path.rglob("*") if p.is_file())[:cut]:
            each.unlink()
        if path.exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("yeoun.training.state.shutil.rmtree", some)
        with pytest.raises(KeyboardInterrupt):
            folder.remove()
    fit(make_rows(40), configuration(), folder=folder, resume=True, unlabelled=ORDERED)
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_pretrain_asks_for_nothing_but_texts(tmp_path: Path, run_cli: CLI) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(make_rows(90, seed=2).texts), encoding="utf-8")
    status, out, err = run_cli("pretrain", texts, "--out", tmp_path / "text", "--preset", "fast")
    assert status == 0, err
    assert "perplexity" in out
    status, _, err = run_cli("predict", tmp_path / "text", "a film")
    assert (status, "--start-from" in err) == (1, True)
    assert run_cli("pretrain", texts, "--out", tmp_path / "text", "--resume", "--seed", "9")[0] == 1


def test_pretrain_and_train_start_from_at_the_command_line(tmp_path: Path, run_cli: CLI) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(make_rows(90, seed=2).texts), encoding="utf-8")
    rows, text, model = write_csv(tmp_path / "rows.csv", make_rows(60)), tmp_path / "text", tmp_path / "model"
    passes = (*FLAGS, "--set", "train.pretrain_epochs=2")
    status, out, _ = run_cli("pretrain", texts, "--out", text, *passes, "--json")
    assert status == 0
    assert json.loads(out)["epochs"] == 2
    assert not (tmp_path / "text.training").exists()
    status, _, err = run_cli("pretrain", texts, "--out", text, *passes)
    assert (status, "--force" in err) == (1, True)
    assert run_cli("pretrain", texts, "--out", text, *passes, "--resume")[0] == 0
    status, _, err = run_cli("train", rows, "--start-from", text, "--out", model, *FLAGS)
    assert status == 0, err
    assert ModelBundle.load(model).provenance["start"] == Pretrained.load(text).checksum()
    started = ("train", rows, "--out", model, *FLAGS)
    assert run_cli(*started, "--start-from", text, "--resume")[0] == 0
    assert run_cli(*started, "--resume")[0] == 1
    other = ("train", rows, "--start-from", text, "--out", tmp_path / "other")
    status, _, err = run_cli(*other, *FLAGS, "--set", "model.hidden_size=9")
    assert (status, "hidden_size" in err) == (1, True)
    assert run_cli(*other, "--recipe", "nsmc-bilstm")[0] == 2
    status, _, err = run_cli("train", rows, "--start-from", model, "--out", tmp_path / "other", *FLAGS)
    assert (status, "pretrain" in err) == (1, True)
    status, out, _ = run_cli(
        "train", rows, "--unlabelled", texts, "--out", tmp_path / "both", *passes, "--json"
    )
    assert json.loads(out)["pretraining"]["texts"] == 90 + 54
    (text / "model.safetensors").write_bytes(b"altered")
    with pytest.raises(BundleError, match="altered"):
        Pretrained.load(text)
