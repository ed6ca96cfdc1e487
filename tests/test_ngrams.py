"""N-grams come out as their definition has them, whatever the texts, and are scored as they were fitted."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from conftest import make_lists, make_rows
from yeoun.config import Configuration, TextConfig
from yeoun.data.batches import collate
from yeoun.data.rows import Dataset, labelled, labelled_with_several
from yeoun.data.tokens import TokenStore
from yeoun.evaluation.linear import count_features as count_baseline_features
from yeoun.nn.classifier import TextClassifier
from yeoun.nn.ngrams import NgramFeatures, NgramScores
from yeoun.text import ngrams
from yeoun.text.indexer import Indexed
from yeoun.text.ngrams import NgramIndexer, count_ngrams
from yeoun.text.normalization import normalize
from yeoun.training.ngrams import NgramBranch, _choose_share, count_features, fit_ngrams, rows_within_reach

# A busy machine is no failure.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

BOTH = TextConfig(word_ngrams=2, character_ngrams=3)
TEXTS = {
    "English": ["Don't stop, the film was GREAT!", "the film was great", "he is", "me in", "a 7-10 split"],
    "Korean": ["정말 재밌는 영화였어요", "정말 지루한 영화 ㅠㅠ", "영화... 정말?!"],
    "emoji": ["great 👩\u200d👩\u200d👧🏽 film", "👩 film ☕☕☕", "👩👩"],
    "decomposed Hangul": [unicodedata.normalize("NFD", "정말 재밌는 영화"), "정말 재밌는 영화"],
    "marks and signs": ["e\u0301 \u0301 a_b _ 𠀋漢字 ½²", "İstanbul ΟΔΟΣ ẞ ŉ ﬁ", "\x00a \u200b\ufeff"],
    "nothing": ["", " ", "\n\t \u3000\x85\u2028", ""],
    "lone surrogates": ["\ud800 film \udfff", "? film ?", "\ud83d\ude00"],
    "white space inside": ["the\nfilm\r\nwas", "the film\t\twas", " the  film was "],
    "one long word": ["x" * 5000, "x" * 5001, "x" * 5000 + "y", "y" + "x" * 5000, "x" * 4096],
}
letters = st.sampled_from("aabbcde 가나\u1100\u1161\u0301😀\U0002000b_.'\n\t\x00\ud800İẞΣ")
texts_of_any_kind = st.lists(st.text(letters | st.characters(exclude_categories=()), max_size=15), max_size=5)


def words_of(line: str) -> list[str]:
    """Runs of letters, digits and marks; every other visible character by itself."""
    words, word = [], ""
    for character in line + " ":
        if character == "_" or (character < "\U00010000" and unicodedata.category(character)[0] in "LNM"):
            word += character
            continue
        words += [each for each in (word, character) if each not in ("", " ")]
        word = ""
    return words


def reference(text: str, words: int, characters: int) -> Counter[Any]:
    """How often each n-gram of a text occurs, one after the other."""
    line = " ".join(normalize(text).lower().split())
    cut, spaced, grams = words_of(line), f" {line} ", Counter[Any]()
    for length in range(1, words + 1):
        grams.update(tuple(map(spelled, cut[i : i + length])) for i in range(len(cut) - length + 1))
    for start in range(len(spaced)):
        for last in range(start, min(start + characters, len(spaced))):
            before, end = spelled(spaced[start:last]), spelled(spaced[last])
            grams.update(before + end[: i + 1] for i in range(len(end)))
    del grams[" "]
    return grams


def spelled(text: str) -> str:
    """The text with each syllable of Hangul by its letters."""
    return "".join(unicodedata.normalize("NFD", c) if "가" <= c <= "힣" else c for c in text)


def counted(texts: Sequence[str], words: int, characters: int) -> list[dict[int, int]]:
    """How often each bucket of each text occurs, buckets being so many that none is shared by chance."""
    found: list[dict[int, int]] = [{} for _ in texts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "_BITS", 44)
        for row, bucket, count in zip(*count_ngrams(texts, words, characters), strict=True):
            found[row][int(bucket)] = int(count)
    return found


def profiles(counts: Sequence[dict[Any, int]]) -> Counter[tuple[int, ...]]:
    """What can be told of n-grams without their names: how often each occurs in each of the texts."""
    by_name: dict[Any, list[int]] = defaultdict(lambda: [0] * len(counts))
    for row, names in enumerate(counts):
        for name, count in names.items():
            by_name[name][row] = count
    return Counter(map(tuple, by_name.values()))


# out of texts


@pytest.mark.parametrize("kind", TEXTS)
def test_ngrams_of_any_text_are_those_of_the_definition(kind: str) -> None:
    everything = [*TEXTS[kind], *TEXTS["English"]]
    for words, characters in ((2, 0), (0, 4), (3, 2), (5, 8), (0, 0)):
        expected = [reference(text, words, characters) for text in everything]
        assert profiles(counted(everything, words, characters)) == profiles(expected)


@untimed
@given(texts_of_any_kind, st.integers(0, 4), st.integers(0, 5))
@example(["a bc", "c ba"], 2, 0)
def test_two_texts_share_a_bucket_where_they_share_an_ngram(
    texts: list[str], words: int, characters: int
) -> None:
    expected = [reference(text, words, characters) for text in texts]
    assert profiles(counted(texts, words, characters)) == profiles(expected)


@pytest.mark.parametrize("texts", [("he is", "me in"), ("if it", "of in"), ("다 이쁜", "뭐 이런")])
def test_pairs_of_words_whose_letters_add_up_alike_are_not_taken_for_each_other(
    texts: tuple[str, str],
) -> None:
    one, other = counted(texts, 2, 0)
    assert len(one) == len(other) == 3
    assert not one.keys() & other.keys()


@pytest.mark.parametrize(("words", "characters"), [(3, 0), (0, 3)])
def test_no_ngram_crosses_from_one_text_to_the_next(words: int, characters: int) -> None:
    apart = counted(["a b", "c d"], words, characters)
    alone = counted(["b", "c"], words, characters)
    crossing = counted(["b c"], words, characters)[0].keys() - alone[0].keys() - alone[1].keys()
    assert crossing
    assert not any(crossing & row.keys() for row in apart)


def test_buckets_come_by_row_and_number_and_each_once() -> None:
    rows, buckets, counts = count_ngrams([*TEXTS["Korean"], "", *TEXTS["English"]], 2, 4)
    keys = list(zip(rows.tolist(), buckets.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert counts.min() >= 1
    assert 0 <= buckets.min() <= buckets.max() < 2**24


# weighed


def matrix(indexer: NgramIndexer, texts: Sequence[str]) -> np.ndarray:
    features = indexer.index(texts)
    dense = np.zeros((len(texts), len(indexer)), np.float32)
    dense[np.repeat(np.arange(len(texts)), np.diff(features.offsets)), features.ids] = features.values
    return dense


def test_features_are_weighed_as_scikit_learns_tfidf_weighs_them() -> None:
    training = [*make_rows(30).texts, *TEXTS["English"], *TEXTS["Korean"], ""]
    others = [*make_rows(20, seed=1).texts, *TEXTS["emoji"], "", "unheard"]
    theirs = TfidfVectorizer(
        analyzer=lambda text: map(repr, reference(text, 2, 3).elements()), sublinear_tf=True, min_df=2
    )
    expected = theirs.fit(training).transform(others).toarray()
    indexer = NgramIndexer.fit(training, BOTH)
    found = matrix(indexer, others)
    assert len(indexer) == expected.shape[1]
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-6)
    np.testing.assert_allclose(np.sort(indexer.idf), np.sort(theirs.idf_), rtol=1e-6)


def test_a_texts_features_have_length_one_or_there_are_none() -> None:
    texts = [text for kind in TEXTS.values() for text in kind]
    lengths = np.linalg.norm(matrix(NgramIndexer.fit(texts, BOTH), [*texts, "zzz"]), axis=1)
    assert (lengths > 0).any()
    np.testing.assert_allclose(lengths[lengths > 0], 1, rtol=1e-5)
    words_alone = NgramIndexer.fit(texts, TextConfig(word_ngrams=2))
    assert (matrix(words_alone, ["", "zzz qqq", "\n"]) == 0).all()


def test_only_ngrams_of_two_training_texts_are_known() -> None:
    indexer = NgramIndexer.fit(["one two two", "one three", "four four four"], TextConfig(word_ngrams=2))
    assert len(indexer) == 1
    np.testing.assert_allclose(indexer.idf, np.log(4 / 3) + 1)
    assert (matrix(indexer, ["one", "two", "four four", "one two"]) == [[1], [0], [0], [1]]).all()


@pytest.mark.parametrize("chunk", [1, 4, 12])
def test_neither_chunks_nor_other_texts_change_a_texts_features(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    texts = [*make_rows(9).texts, "", *TEXTS["emoji"]]
    whole = NgramIndexer.fit(texts, BOTH)
    expected = whole.index(texts)
    monkeypatch.setattr(ngrams, "_CHUNK", chunk)
    again = NgramIndexer.fit(texts, BOTH)
    for mine, other in ((again.buckets, whole.buckets), (again.idf, whole.idf)):
        np.testing.assert_array_equal(mine, other)
    for mine, other in zip(again.index(texts), expected, strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine, other)
    rows = np.split(np.stack([expected.ids, expected.values]), expected.offsets[1:-1], axis=1)
    for text, row in zip(texts, rows, strict=True):
        np.testing.assert_array_equal(np.stack(whole.index([text])[:2]), row)


def test_a_model_of_the_first_format_has_the_features_that_it_learned_with() -> None:
    texts = [*make_rows(30).texts, *TEXTS["Korean"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "_BITS", 22)
        learned = replace(NgramIndexer.fit(texts, BOTH), bits=22, jamo=False)
        expected = learned.index(texts)
    stored = {name: array for name, array in learned.arrays().items() if name in ("buckets", "idf")}
    for mine, other in zip(NgramIndexer.of(BOTH, stored).index(texts), expected, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_no_texts_have_no_features() -> None:
    features = NgramIndexer.fit(["a b", "a c"], BOTH).index([])
    assert (len(features.ids), len(features.values), features.offsets.tolist()) == (0, 0, [0])
    assert [len(each) for each in count_ngrams([], 2, 4)] == [0, 0, 0]


# scored


def make_three(count: int) -> Dataset:
    names = ("one", "two", "three")
    texts = [f"{text} {names[i % 3]}" for i, text in enumerate(make_rows(count).texts)]
    return labelled(texts, [names[i % 3] for i in range(count)])


KINDS = {"two labels": make_rows(60), "three labels": make_three(60), "several a row": make_lists(60)}
OTHERS = ["great film", "", "terrible story and war", "zzz", *make_rows(20, seed=3).texts]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def branch(kind: str) -> NgramBranch:
    return fit_ngrams(KINDS[kind], BOTH)


def columns(rows: Dataset) -> np.ndarray:
    """The labels as 0 and 1 in [rows, scores]."""
    if rows.is_multilabel:
        return rows.targets
    return np.eye(len(rows.label_names), dtype=np.int64)[rows.targets][:, len(rows.label_names) == 2 :]


def test_the_layer_scores_as_the_fitted_branch_does(kind: str, branch: NgramBranch) -> None:
    layer = NgramScores(len(branch.indexer), columns(KINDS[kind]).shape[1])
    layer.load_state_dict(
        {name.removeprefix("ngrams."): torch.tensor(a) for name, a in branch.parameters.items()}
    )
    nothing = Indexed(np.zeros(0, np.int32), np.zeros(len(OTHERS) + 1, np.int64), 0)
    store = TokenStore.of(nothing, branch.indexer.index(OTHERS))
    order = np.random.default_rng(0).permutation(len(OTHERS))
    batch = collate(store, order)
    given = (batch.feature_ids, batch.feature_values, batch.feature_offsets)
    scores = layer(NgramFeatures(*map(torch.from_numpy, given)))
    np.testing.assert_allclose(scores.numpy(), branch.score(OTHERS)[order], atol=1e-5)
    np.testing.assert_allclose(branch.score(["zzz", ""])[0], branch.parameters["ngrams.bias"], atol=1e-6)


def test_the_branch_is_a_machine_over_naive_bayes_weighted_features(kind: str, branch: NgramBranch) -> None:
    features = matrix(branch.indexer, KINDS[kind].texts).astype(np.float64)
    for column, target in enumerate(columns(KINDS[kind]).T):
        inside = (features[target == 1] > 0).sum(0) + 1
        outside = (features[target == 0] > 0).sum(0) + 1
        ratio = np.abs(np.log(inside / inside.sum() / (outside / outside.sum())))
        ratio = (ratio + ratio.mean()) / 2
        penalty = 1.0 if branch.parameters["ngrams.bias"].size <= 2 else 2.0
        machine = LinearSVC(C=penalty, tol=1e-2, random_state=0).fit(features * ratio, target)
        expected = machine.decision_function(matrix(branch.indexer, OTHERS) * ratio)
        np.testing.assert_allclose(branch.score(OTHERS)[:, column], expected, atol=1e-3)


def test_the_same_rows_give_the_same_branch_to_the_last_bit(kind: str, branch: NgramBranch) -> None:
    again = fit_ngrams(KINDS[kind], BOTH)
    arrays = (*branch.indexer.arrays().values(), *branch.parameters.values())
    for mine, other in zip(
        (*again.indexer.arrays().values(), *again.parameters.values()), arrays, strict=True
    ):
        assert mine.tobytes() == other.tobytes()


def test_a_label_of_every_row_or_of_none_is_told_by_its_bias_alone() -> None:
    rows = labelled_with_several(make_rows(30).texts, [["all"]] * 30, ["all", "none"])
    parameters = fit_ngrams(rows, BOTH).parameters
    assert not parameters["ngrams.weight"].any()
    assert parameters["ngrams.bias"].tolist() == pytest.approx([np.log(99), -np.log(99)], rel=1e-5)


@pytest.mark.parametrize("weight", [0.0, 1e-7])
def test_a_row_of_no_weight_teaches_nothing_but_words(
    monkeypatch: pytest.MonkeyPatch, kind: str, weight: float
) -> None:
    rows = KINDS[kind]
    indexer = NgramIndexer.fit(rows.texts, BOTH)
    monkeypatch.setattr(NgramIndexer, "fit", lambda *_: indexer)
    kept = np.arange(len(rows)) < 40
    spoilt = replace(
        rows, labels=np.where(kept if rows.targets.ndim == 1 else kept[:, None], rows.targets, 0)
    )
    weights = torch.ones(rows.targets.shape)
    weights[40:] = weight
    expected = fit_ngrams(rows.take(np.flatnonzero(kept)), BOTH).score(OTHERS)
    np.testing.assert_allclose(fit_ngrams(spoilt, BOTH, weights).score(OTHERS), expected, atol=1e-2)


def test_so_many_rows_are_learned_from_as_their_ngrams_leave_room() -> None:
    def within(texts: list[str], words: int) -> int:
        return rows_within_reach(
            texts, lambda some: count_features(some, TextConfig(word_ngrams=words)), 1000
        )

    assert within(["a b c d"] * 50, 1) == 250
    assert within(["a b c d"] * 5000, 2) == 142
    assert within(["a"] * 3, 0) >= 3
    assert rows_within_reach(["good film here"] * 5000, count_baseline_features, 1000) == 200


def test_ngrams_are_weighed_by_no_gradient() -> None:
    network = TextClassifier(Configuration().model, 10, 2, 7)
    features = NgramFeatures(torch.tensor([3, 5]), torch.ones(2), torch.tensor([0, 2]))
    network(torch.tensor([[4, 5]]), torch.tensor([2]), features).sum().backward()
    assert network.ngrams is not None
    assert all(each.grad is None for each in network.ngrams.parameters())
    assert network.head.weight.grad is not None


@pytest.mark.parametrize(("rare", "share"), [(0, 0.5), (60, 0.0)])
def test_naive_bayes_weights_go_where_they_are_of_mere_chance(rare: int, share: float) -> None:
    """Every row has the two features that count, so that presence says nothing of them, and rare ones."""
    generator, rows = np.random.default_rng(0), 400
    target = np.arange(rows) % 2
    telling = 1.0 + 0.3 * generator.standard_normal((rows, 2)) + np.stack([target, 1 - target], 1) * 0.4
    others = np.zeros((rows, 6_000))
    for row in others:
        row[generator.integers(0, 6_000, rare)] = 0.3
    features = csr_matrix(np.hstack([telling, others]).astype(np.float32))
    assert _choose_share(features, features.shape[1], target, 2) == share
