"""Pretraining: what is guessed from what, how it is scored, and what a model starts from."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from conftest import FLAGS, TINY, make_rows, write_csv
from yeoun.bundle import ModelBundle
from yeoun.config import Configuration, ModelConfig
from yeoun.data.rows import Dataset
from yeoun.data.tokens import TokenStore
from yeoun.errors import BundleError, ConfigError, DataError, ResumeError
from yeoun.inference import answer, torch_forward
from yeoun.nn.classifier import TextClassifier
from yeoun.nn.two_views import TwoViewModel
from yeoun.pretrained import Pretrained
from yeoun.training.combination import Combination, combine, fit_scales
from yeoun.training.fit import fit
from yeoun.training.head import _some, _summaries, start_head
from yeoun.training.loop import IndexedRows
from yeoun.training.ngrams import fit_ngrams
from yeoun.training.pretraining import Pieces, pretrain
from yeoun.training.state import Progress, TrainingFolder
from yeoun.training.targets import Targets

CLI = Callable[..., tuple[int, str, str]]
NGRAMS = torch.arange(8).unsqueeze(0)  # that the model can guess
ORDERED = ["one two three four five six"] * 40  # what comes next is certain

COUNTS = {
    "text__scheme": "counts",
    "model__inputs": "counts",
    "model__bidirectional": False,
    "model__pooling": "last",
}


def configuration(**changed: object) -> Configuration:
    values = {**TINY, "train.pretrain_epochs": 3}
    return Configuration().with_values({**values, **{k.replace("__", "."): v for k, v in changed.items()}})


def two_views(**changed: object) -> TwoViewModel:
    torch.manual_seed(0)
    values = {"hidden_size": 6, "embedding_size": 5, **changed}
    return TwoViewModel(TextClassifier(ModelConfig(**values), 30, 2), torch.arange(1.0, 9.0)).eval()  # type: ignore[arg-type]


def stored(*texts: list[int]) -> TokenStore:
    lengths = [len(text) for text in texts]
    ids = np.array([each for text in texts for each in text], np.int32)
    return TokenStore(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))


@given(st.lists(st.lists(st.integers(1, 9), max_size=200), min_size=1, max_size=5), st.integers(1, 40))
def test_pieces_are_even_and_put_together_are_the_texts(texts: list[list[int]], longest: int) -> None:
    pieces = Pieces.of(stored(*texts), longest)
    kept = [text for text in texts if len(text) > 1]
    assert pieces.store.token_ids.tolist() == [each for text in kept for each in text]
    start = 0
    for text in kept:
        first, last = pieces.first[start], pieces.last[start]
        lengths = pieces.store.lengths[first:last]
        assert (first, int(lengths.sum())) == (start, len(text))
        assert last - first >= 2
        assert 1 <= lengths.min() <= lengths.max() <= min(longest, lengths.min() + 1)
        start = last
    assert start == len(pieces.store)


def ngrams_of(text: list[int]) -> dict[tuple[int, ...], list[int]]:
    """Where each n-gram of known tokens begins."""
    found: dict[tuple[int, ...], list[int]] = {}
    for length in (1, 2, 3):
        for at in range(len(text) - length + 1):
            if min(text[at : at + length]) > 1:
                found.setdefault(tuple(text[at : at + length]), []).append(at)
    return found


def named(targets: Targets) -> dict[tuple[int, ...], int]:
    """The number of each target by its tokens."""
    return {
        tuple(int(key) >> 21 * (length - 1 - i) & (1 << 21) - 1 for i in range(length)): int(number)
        for length, (keys, numbers) in enumerate(zip(targets.keys, targets.numbers, strict=True), 1)
        for key, number in zip(keys, numbers, strict=True)
    }


@given(st.lists(st.lists(st.integers(1, 5), min_size=2, max_size=90), min_size=1, max_size=4))
def test_the_rest_is_every_ngram_that_does_not_touch_the_piece(texts: list[list[int]]) -> None:
    store = stored(*texts)
    pieces, targets = Pieces.of(store, 32), Targets.frequent(store)
    (rest, shares), number = pieces.rest(np.arange(len(pieces.store)), targets), named(targets)
    offsets = pieces.store.offsets
    for piece in range(len(pieces.store)):
        begin, text_end = int(offsets[pieces.first[piece]]), int(offsets[pieces.last[piece]])
        own = range(int(offsets[piece]) - begin, int(offsets[piece + 1]) - begin)
        roots = np.zeros(len(targets.counts))
        for ngram, places in ngrams_of(store.token_ids[begin:text_end].tolist()).items():
            outside = [at for at in places if at + len(ngram) <= own.start or at >= own.stop]
            if ngram in number:
                roots[number[ngram]] = len(outside) ** 0.5
        is_there = shares[piece] > 0
        found = np.zeros(len(roots))
        found[rest[piece][is_there]] = shares[piece][is_there]
        np.testing.assert_allclose(found, roots / max(1e-6, roots.sum()), rtol=1e-5)
        assert is_there.sum() == (roots > 0).sum()


def test_the_very_commonest_ngrams_are_not_guessed() -> None:
    store = stored(*[[token] for token in range(2, 1002) for _ in range(1 + (token == 7) + (token == 8))])
    number = named(Targets.frequent(store))
    assert sorted(number) == [(token,) for token in range(2, 1002) if token not in (7, 8)]
    assert sorted(number.values()) == list(range(len(number)))


def test_the_words_that_any_text_has_are_left_out_by_the_words_alone() -> None:
    order = np.random.default_rng(0).permutation(1000)
    store = stored([token + 2 for token in order for _ in range(1 + int(token < 3))])
    number = named(Targets.frequent(store))
    assert [token for token in range(2, 1002) if (token,) not in number] == [2, 3]  # of 1,000 words two


@pytest.mark.parametrize("kind", ["two", "three", "several"])
def test_the_ngrams_that_tell_most_of_the_labels_are_guessed_and_no_others(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("yeoun.training.targets._IN_A_TEXT", 1.0)
    draw, classes = np.random.default_rng(0), 3 if kind == "three" else 2
    labels = np.arange(600) % classes
    told = [10 + label if row % 5 else 10 for row, label in enumerate(labels)]  # one in five says the first
    texts = [[*draw.integers(20, 60, 6), mark, *draw.integers(20, 60, 6)] for mark in told]
    asked = np.stack([labels, 1 - labels], 1) if kind == "several" else labels
    targets = Targets.telling(stored(*texts), asked)
    number = named(targets)
    marks = sorted(number[10 + label,] for label in range(classes))
    assert marks == list(range(classes))  # the first of all
    assert (np.diff(targets.counts * targets.weights**2) <= 1e-4).all()
    assert targets.counts.sum() <= classes * len(texts)
    assert targets.counts[number[11,]] == sum(mark == 11 for mark in told)


@pytest.mark.parametrize("classes", [9, 10])
def test_of_ten_labels_the_most_frequent_words_are_guessed_that_tell_anything(
    monkeypatch: pytest.MonkeyPatch, classes: int
) -> None:
    monkeypatch.setattr("yeoun.training.targets._COMMONEST", 20)
    labels = np.arange(300 * classes) % classes
    texts = [
        [3, 10 + label, 30 + label // 2, 40 + i // 25 % 3, 50, *[9] * int(label == 2)]
        for i, label in enumerate(labels)
    ]
    store = stored(*texts)
    number = named(Targets.of(store, store, labels))
    # Phrases tell labels that may be grades of one thing.
    assert (max(map(len, number)) > 1) == (classes == 9)
    if classes == 10:
        targets = Targets.topical(store, labels)
        assert set(number) == {(token,) for token in [9, *range(10, 20), *range(30, 35)]}
        assert (np.diff(targets.counts) <= 0).all()
        assert targets.weights[number[10,]] > targets.weights[number[30,]]


@pytest.mark.parametrize("several", [False, True])
def test_what_tells_nothing_of_the_labels_is_not_guessed(several: bool) -> None:
    labels = np.arange(400) % 2
    store = stored(*([5, 6, 7, 8] for _ in labels))
    asked = np.stack([labels, 1 - labels], 1) if several else labels
    assert not len(Targets.telling(store, asked).counts)
    assert len(Targets.of(store, store, asked).counts)  # the most frequent in their place


def test_of_few_labelled_rows_the_most_frequent_ngrams_are_guessed() -> None:
    labels, texts = np.arange(2_000) % 2, [[5 + i % 2, 7, 8, 9] for i in range(2_000)]
    assert set(named(Targets.of(stored(*texts), stored(*texts), labels))) >= {(5,), (6,)}
    few = stored(*texts[:1_999])
    found = Targets.of(few, few, labels[:1_999])
    assert (found.weights == 1).all()
    assert (7,) in named(found)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_weight_is_the_root_of_how_far_the_labels_are_from_those_of_all_texts(share: float) -> None:
    labels = np.array([0, 0, 0, 1] * 50)
    texts = [[5 if label == share else 6, 7] for label in labels]
    targets = Targets.telling(stored(*texts), labels)
    weight = targets.weights[named(targets)[5,]]
    prior = np.array([151, 51]) / 202
    texts_with = 150 if share == 0 else 50
    given = (np.array([texts_with, 0] if share == 0 else [0, texts_with]) + 2 * prior) / (texts_with + 2)
    assert weight == pytest.approx(float((given * np.log(given / prior)).sum()) ** 0.5, rel=1e-5)


@pytest.mark.parametrize(
    "changed", [{}, {"encoder": "gru"}, {"encoder": "convolution"}, {"layers": 2}, {"pooling": "attention"}]
)
def test_a_piece_is_read_the_same_beside_any_other(changed: dict[str, object]) -> None:
    model, long, short = two_views(**changed), torch.randint(2, 30, (1, 17)), torch.randint(2, 30, (1, 5))
    padded = torch.full((1, 17), 9)
    padded[:, :5] = short
    rest = torch.rand(2, 8).softmax(1)
    together = model.guess(torch.cat([padded, long]), torch.tensor([5, 17]), NGRAMS.expand(2, 8), rest)
    alone = [
        model.guess(text, torch.tensor([text.shape[1]]), NGRAMS, rest[row : row + 1])
        for row, text in enumerate((short, long))
    ]
    torch.testing.assert_close(together.loss, (alone[0].loss + alone[1].loss) / 2)
    assert together.guesses == 2


def test_the_loss_is_the_cross_entropy_of_the_shares_and_leaves_out_empty_rests() -> None:
    model, ids, lengths = two_views(), torch.randint(2, 30, (3, 6)), torch.tensor([6, 4, 2])
    rest = torch.tensor([[0.5, 0.5, *[0.0] * 6], [0.0] * 8, [*[0.0] * 7, 1.0]])
    found = model.guess(ids, lengths, NGRAMS.expand(3, 8), rest)
    read = model.network.summarize(model.network.embed(ids, lengths), lengths)
    scores = model.scores(model.narrow(read))[[0, 2]]
    torch.testing.assert_close(found.loss, torch.nn.functional.cross_entropy(scores, rest[[0, 2]]))
    assert found.guesses == 2
    assert found.right == int((rest[[0, 2]].gather(1, scores.argmax(1, keepdim=True)) > 0).sum())


def test_pretraining_drops_no_more_than_a_tenth_of_the_words_and_a_fifth_of_their_units() -> None:
    torch.manual_seed(0)
    config = ModelConfig(hidden_size=4, embedding_size=50, embedding_dropout=0.9, word_dropout=0.9)
    model = TwoViewModel(TextClassifier(config, 30, 2), torch.arange(1.0, 9.0)).train()
    with torch.no_grad():
        model.network.embedding.weight.fill_(1.0)[
            1
        ] = -1.0  # the unknown word, which stands for a dropped one
    seen = []
    model.network.summarize = lambda embedded, lengths: seen.append(embedded) or torch.zeros(200, 16)  # type: ignore[assignment, func-returns-value]
    model.guess(
        torch.full((200, 20), 5), torch.full((200,), 20), NGRAMS.expand(200, 8), torch.ones(200, 8) / 8
    )
    (embedded,) = seen
    assert 0.15 < (embedded == 0).float().mean() < 0.25
    assert 0.08 < (embedded < 0).float().sum() / (embedded != 0).float().sum() < 0.12


def test_where_no_rest_has_anything_to_guess_nothing_is_learned() -> None:
    model = two_views()
    ids, lengths = torch.randint(2, 30, (3, 6)), torch.tensor([6, 4, 2])
    found = model.guess(ids, lengths, torch.zeros(3, 1, dtype=torch.int64), torch.zeros(3, 1))
    found.loss.backward()  # type: ignore[no-untyped-call]
    assert (found.loss.item(), found.right, found.guesses) == (0.0, 0, 0)
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_ngrams_of_the_rest_are_guessed_where_they_are_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yeoun.training.pretraining.PIECES", range(8, 9))
    texts = [" ".join([*pair, *pair]) for pair in (("one", "two"), ("three", "four"), ("five", "six")) * 60]
    learned = pretrain(texts, configuration(train__pretrain_epochs=20, model__hidden_size=16))
    assert learned.figures["perplexity"] == pytest.approx(
        3, rel=0.1
    )  # two words and both as one, as often each
    assert learned.figures["perplexity"] == pytest.approx(np.exp(learned.history[-1]["validation_loss"]))
    assert learned.figures["ngram_accuracy"] > 0.95


def started(
    labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]], head: str
) -> tuple[TextClassifier, TokenStore]:
    """A network whose head was started on the labels of texts that begin with a word of each."""
    torch.manual_seed(0)
    config = ModelConfig(hidden_size=6, embedding_size=5, head=head)
    network = TextClassifier(config, 30, labels.shape[1] if labels.ndim == 2 else 3)
    draw = np.random.default_rng(0)
    marks = labels @ [1, 2, 4] if labels.ndim == 2 else labels
    store = stored(*[[2 + int(mark), *draw.integers(12, 30, 4)] for mark in marks])
    start_head(network, IndexedRows(store, labels), Configuration(), None)
    return network, store


def test_a_head_starts_as_the_logistic_regression_on_what_the_network_makes_of_the_rows() -> None:
    labels = np.arange(90) % 3
    network, store = started(labels, "softmax")
    summaries = answer(store, Configuration().text, _summaries(network)).astype(np.float64)
    mean, spread = summaries.mean(0), summaries.std(0)
    regression = LogisticRegression(C=1 / (2 * (0.02 * len(labels) + 30)), tol=1e-9, max_iter=10_000)
    regression.fit((summaries - mean) / spread, labels)
    weight = network.head.weight.detach().numpy() * spread
    np.testing.assert_allclose(weight - weight.mean(0), regression.coef_, atol=1e-3)
    logits = answer(store, Configuration().text, torch_forward(network))
    expected = regression.decision_function((summaries - mean) / spread)
    np.testing.assert_allclose(
        logits - logits.mean(1, keepdims=True), expected - expected.mean(1, keepdims=True), atol=1e-2
    )


@pytest.mark.parametrize("head", ["sigmoid", "sigmoids"])
def test_heads_of_sigmoids_start_from_the_rows_too(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yeoun.training.head._PULL_OF_FEW", 0.0)
    several = np.random.default_rng(1).integers(0, 2, (90, 3))
    labels = several if head == "sigmoids" else several[:, 0]
    network, store = started(labels, head)
    logits = answer(store, Configuration().text, torch_forward(network))
    assert ((logits > 0) == labels.reshape(len(labels), -1)).mean() > 0.75  # by chance 0.5


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (COUNTS, "scheme"),
        ({"train__pretrain_epochs": 0}, "pretrain_epochs"),
    ],
)
def test_what_cannot_be_pretrained_is_refused(changed: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        pretrain(ORDERED, configuration(**changed))


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
    monkeypatch.setattr("yeoun.training.pretraining.PIECES", range(8, 9))
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
        with folder, pytest.raises(KeyboardInterrupt):
            pretrain(texts, configuration(), folder=folder, resume=True, watch=watch)
    with folder:
        resumed = pretrain(texts, configuration(), folder=folder, resume=True, watch=watch)
    assert resumed.checksum() == whole.checksum()
    with folder, pytest.raises(ResumeError, match="texts"):
        pretrain(texts[1:], configuration(), folder=folder, resume=True)


def test_validation_texts_are_not_learned_from_where_they_come_without_labels_too() -> None:
    rows = make_rows(60)
    marked = Dataset([f"{text} only{i}" for i, text in enumerate(rows.texts)], rows.labels, rows.label_names)
    known = set(fit(marked, configuration(), unlabelled=marked.texts).indexer.vocabulary())
    assert len([i for i in range(60) if f"only{i}" in known]) == 54


def test_texts_with_nothing_to_guess_are_refused_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yeoun.training.targets._FREQUENT", 0)
    with pytest.raises(DataError, match="n-gram"):
        pretrain(ORDERED, configuration(), folder=TrainingFolder.of(tmp_path / "text"))
    assert list(tmp_path.iterdir()) == []


def test_a_text_whose_rest_has_nothing_to_guess_does_no_harm() -> None:
    rows = make_rows(60)
    words = [f"{'good' if label else 'bad'}{i}" for i, label in enumerate(rows.targets)]
    ones = Dataset(words, rows.labels, rows.label_names)
    learned = fit(ones, configuration(text__minimum_count=1), unlabelled=["other words here"] * 40)
    assert all(np.isfinite(array).all() for array in learned.weights.values())


def test_texts_without_a_rest_are_refused() -> None:
    with pytest.raises(DataError, match="at least 2 tokens"):
        pretrain(["one", "two", "three"] * 9, configuration())


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4])
def test_a_removal_cut_anywhere_leaves_nothing_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    folder = TrainingFolder.of(tmp_path / "model")
    with folder:
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
    with folder:
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
    both = ("--unlabelled", texts, "--start-from", text, "--set", "model.ngrams=true", "--json")
    status, out, err = run_cli("train", rows, "--out", tmp_path / "taught", *FLAGS, *both)
    assert status == 0, err
    assert json.loads(out)["self_training"]["texts"] == 90
    (text / "model.safetensors").write_bytes(b"altered")
    with pytest.raises(BundleError, match="altered"):
        Pretrained.load(text)


def test_a_pretrained_half_counts_for_more_beside_ngrams_of_few_rows() -> None:
    rows = make_rows(100)
    ngrams = fit_ngrams(rows.take(np.arange(50)), Configuration().text)
    valid = rows.take(np.arange(50, 100))
    recurrent = np.float32([[0, 1], [1, 0]])[1 - valid.targets] * np.float32(0.1)
    parameters = {"head.weight": np.ones((2, 1), np.float32), "head.bias": np.zeros(2, np.float32)}
    scales = [
        float(combine(recurrent, parameters, ngrams, valid, True, pretrained).parameters["head.weight"][0, 0])
        for pretrained in (False, True)
    ]
    assert 0 < scales[0] < scales[1]


def test_few_validation_rows_do_not_say_alone_which_half_is_the_better_one() -> None:
    draw = np.random.default_rng(0)
    labels = np.arange(4_000) % 2
    better, worse = (
        np.stack([-score, score], 1).astype(np.float32)
        for score in ((2 * labels - 1) * share + draw.normal(size=4_000) for share in (1.0, 0.6))
    )

    def ratio(rows: int, together: float) -> float:
        first, second = fit_scales([better[:rows], worse[:rows]], labels[:rows], [1.0, 1.0], together)
        return first * float(better[:rows].std()) / (second * float(worse[:rows].std()))

    assert 1 < ratio(30, 6.0) < 0.9 * ratio(30, 0.0)
    assert ratio(4_000, 6.0) == pytest.approx(ratio(4_000, 0.0), rel=0.02)
    assert ratio(30, 1e6) == pytest.approx(1.0, abs=1e-3)


def test_a_model_that_was_pretrained_begins_with_the_fitted_head(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, bool]] = []

    def start(network: TextClassifier, rows: IndexedRows, *_: object) -> None:
        seen.append((len(rows.store), True))
        with torch.no_grad():
            network.head.bias.copy_(torch.tensor([7.0, -7.0]))

    monkeypatch.setattr("yeoun.training.half.start_head", start)
    asked = configuration(train__learning_rate=1e-9, train__epochs=1)
    assert np.allclose(fit(make_rows(60), asked).weights["head.bias"], [7.0, -7.0], atol=1e-6)
    without = replace(asked, train=replace(asked.train, pretrain_epochs=0))
    assert not np.allclose(fit(make_rows(60), without).weights["head.bias"], [7.0, -7.0], atol=1.0)
    assert seen == [(54, True)]


@pytest.mark.parametrize("passes", [0, 1])
def test_fit_says_whether_the_half_was_pretrained(monkeypatch: pytest.MonkeyPatch, passes: int) -> None:
    told: list[object] = []

    def combined(*given: object) -> Combination:
        told.append(given[5])
        return combine(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("yeoun.training.whole.combine", combined)
    fit(make_rows(60), configuration(train__pretrain_epochs=passes))
    assert told == [passes == 1]


def test_another_pooling_than_was_pretrained_is_refused() -> None:
    start = pretrain(ORDERED, configuration())
    other = start.applied(configuration()).with_values({"model.pooling": "attention"})
    with pytest.raises(ConfigError, match="pooling"):
        fit(make_rows(60), other, start=start)


@pytest.mark.parametrize("several", [False, True])
def test_of_many_rows_a_head_learns_from_some_of_every_label(
    monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    monkeypatch.setattr("yeoun.training.head._ROWS", 50)
    labels = np.arange(500) % 2
    labels[-1] = 2
    if several:
        labels = np.eye(3, dtype=np.int64)[labels]
    some = _some(labels, 3)
    drawn = labels[some].argmax(1) if several else labels[some]
    assert 50 <= some.sum() <= 53
    assert min(np.bincount(drawn)[:2]) > 15
    assert 2 in drawn


def test_a_state_is_not_written_after_every_step_because_the_words_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[float, ...]] = []
    monkeypatch.setattr("yeoun.training.loop.steps_between_saves", lambda *sizes: asked.append(sizes) or 99)
    learned = pretrain(ORDERED, configuration())
    encoder = sum(each.size for name, each in learned.weights.items() if name.startswith("encoder."))
    assert [sizes[0] for sizes in asked] == [encoder]
