"""The laws of explanations, of every encoder, pooling and number of classes: what adds up, where scores stand
in the text, and that neighbours change nothing."""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import SEVERAL, TINY, make_rows
from yeoun.bundle import ModelBundle
from yeoun.config import ENCODERS, Configuration, TextConfig
from yeoun.data.tokens import TokenStore
from yeoun.explain import EXPLAINERS, contrast, explain
from yeoun.explain.ablation import WAYS, ablate, logits_of
from yeoun.explain.ngrams import ngram_scores
from yeoun.explain.reading import read
from yeoun.inference import class_logits
from yeoun.nn.classifier import TextClassifier
from yeoun.nn.ngrams import NgramFeatures, NgramScores
from yeoun.nn.pooling import POOLINGS
from yeoun.text.indexer import TextIndexer
from yeoun.text.ngrams import NgramIndexer
from yeoun.training.fit import fit

TEXT = "the film was lovely and 영화 최고, xyzzy! really boring 😀"
HEADS = {"softmax": 2, "softmax of three": 3, "sigmoid": 2, "sigmoids": 3}
COUNTS = {"text.scheme": "counts", "model.bidirectional": False, "model.pooling": "last"}
PADDED = {
    "none": {},
    "start token": {"text.start_token": True},
    "back": {"text.pad_to": 40},
    "front": {"text.pad_to": 40, "text.pad_side": "front"},
}
TEXTS = {
    "empty": "",
    "blank": " \n ",
    "one token": "lovely",
    "only unknown tokens": "xyzzy plugh frotz",
    "emoji": "lovely 👩‍👩‍👧‍👦 film 😀🇰🇷",
    "decomposed Hangul": unicodedata.normalize("NFD", "재밌다 정말, 최고!!"),
    "longer when lower": "İSTANBUL İ lovely ﬁlm",
    "cut off": " ".join(["really", "boring", "film"] * 20),
}
METHODS = [method for method in EXPLAINERS if method != "attention"]


def build(values: dict[str, Any], head: str = "softmax", ngrams: bool = True) -> ModelBundle:
    """A model whose weights are drawn, large enough to matter."""
    changed = {**TINY, "text.scheme": "words", "text.character_ngrams": 3, "model.head": head.split()[0]}
    configuration = Configuration().with_values({**changed, "model.ngrams": ngrams, **values})
    configuration = configuration.with_values({"model.inputs": "counts"} if values is COUNTS else {})
    rows, names = make_rows(60), SEVERAL[: HEADS[head]]
    indexer = TextIndexer.fit(rows.texts, configuration.text)
    known = NgramIndexer.fit(rows.texts, configuration.text) if ngrams else None
    torch.manual_seed(1)
    network = TextClassifier(
        configuration.model, indexer.vocabulary_size, len(names), None if known is None else len(known)
    )
    torch.nn.init.normal_(network.embedding.weight)
    torch.nn.init.normal_(network.head.weight)
    if network.ngrams is not None:
        torch.nn.init.normal_(network.ngrams.weight)
        torch.nn.init.normal_(network.ngrams.bias)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    thresholds = (0.5,) * len(names) if head == "sigmoids" else ()
    return ModelBundle(configuration, names, indexer, weights, known, thresholds)


def logit_difference(bundle: ModelBundle, text: str, label: str) -> float:
    """By how much the logit of `label` is higher than where all tokens are average and no n-gram is there."""
    ids, offsets, _ = bundle.indexer.index([text])
    average = 1 if bundle.configuration.model.inputs == "counts" else bundle.indexer.vocabulary_size
    neutral = np.where(np.arange(len(ids)) < bundle.configuration.text.start_token, ids, average)
    features = None
    if bundle.ngrams is not None:
        known, values, _ = bundle.ngrams.index([text])
        features = type(bundle.ngrams.index([text]))(known, values, np.array([0, len(known), len(known)]))
    store = TokenStore(
        np.concatenate([ids, neutral]).astype(np.int32), np.append(offsets, 2 * len(ids)), features
    )
    logits = logits_of(bundle, store) @ contrast(bundle, bundle.label_names.index(label))
    return float(logits[0] - logits[1])


CASES = [
    *itertools.product(
        [{"model.encoder": e, "model.pooling": p} for e in ENCODERS for p in POOLINGS], HEADS, (False, True)
    ),
    *itertools.product([COUNTS, *PADDED.values(), {"model.layers": 2}], HEADS, (False, True)),
]


@pytest.mark.parametrize(("values", "head", "ngrams"), CASES, ids=str)
def test_integrated_gradients_sum_to_the_logit_difference_within_the_reported_gap(
    values: dict[str, Any], head: str, ngrams: bool
) -> None:
    bundle = build(values, head, ngrams)
    explanation = explain(bundle, TEXT)
    difference = logit_difference(bundle, TEXT, explanation.label)
    total = sum(token.score for token in explanation.tokens)
    assert explanation.gap is not None
    assert abs(total - difference) <= explanation.gap * abs(difference) + 1e-4
    assert abs(total - difference) <= 0.01 * sum(abs(token.score) for token in explanation.tokens)
    assert abs(difference) > 1e-3
    assert sum(explanation.halves.values()) == pytest.approx(total if ngrams else 0)


def test_a_label_can_be_asked_for_and_two_labels_have_opposite_scores() -> None:
    bundle = build({})
    one, other = (explain(bundle, TEXT, label=label) for label in bundle.label_names)
    assert (one.label, other.label) == bundle.label_names
    assert one.probability + other.probability == pytest.approx(1)
    scores = [np.array([token.score for token in each.tokens]) for each in (one, other)]
    np.testing.assert_allclose(scores[0], -scores[1], atol=1e-5)


# What n-grams add.

PIECES = [
    "영화",
    "최고",
    "film",
    " ",
    "  ",
    "\n",
    "a",
    "a",
    "İ",
    "ß",
    "e\u0301",
    "\u1112\u1161\u11ab",
    "😀",
    "!",
    "\0",
]
any_text = st.one_of(st.text(max_size=30), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))


@settings(max_examples=100, deadline=None)
@given(any_text, st.integers(0, 3), st.integers(0, 4))
def test_what_ngrams_add_sums_to_their_score_less_the_bias(text: str, words: int, characters: int) -> None:
    config = TextConfig(word_ngrams=words, character_ngrams=characters, minimum_count=1)
    known = NgramIndexer.fit([text, text, "film"], config)
    indexer = TextIndexer.fit(["film a"], config)
    weight = np.random.default_rng(0).normal(size=(len(known), 3)).astype(np.float32)
    bundle = ModelBundle(
        Configuration().with_values({"model.ngrams": True}),
        ("a", "b", "c"),
        indexer,
        {"ngrams.weight": weight},
        known,
    )
    reading = read(bundle, text)
    scores = NgramScores(len(known), 3)
    scores.weight.data = torch.from_numpy(weight)
    features = NgramFeatures(*(torch.from_numpy(each) for each in known.index([text])))
    expected = scores(features)[0].numpy() @ contrast(bundle, 1) if text.strip() else 0.0
    found = ngram_scores(bundle, reading, contrast(bundle, 1))
    assert found is not None
    assert found.sum() == pytest.approx(expected, abs=1e-4)
    covered = sorted(zip(reading.starts.tolist(), reading.ends.tolist(), strict=True))
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(covered))


@settings(max_examples=50, deadline=None)
@given(any_text)
def test_located_ngrams_are_the_indexed_ones_and_masking_nothing_changes_nothing(text: str) -> None:
    known = NgramIndexer.fit([text, text, "film"], TextConfig(word_ngrams=2, character_ngrams=4))
    located, indexed = known.locate(text), known.index([text])
    for id_, value in zip(indexed.ids, indexed.values, strict=True):
        assert located.values[located.ids == id_].sum() == pytest.approx(value, rel=1e-6)
    composed = unicodedata.normalize("NFC", text).encode("utf-8", "replace").decode()
    characters = "".join(composed.lower().split())
    visible = sum(len(unicodedata.normalize("NFD", c)) if "가" <= c <= "힣" else 1 for c in characters)
    assert len(known.spans(text)) == visible
    masked = known.index_masked(located, np.zeros((2, visible), bool))
    np.testing.assert_array_equal(masked.ids, np.tile(indexed.ids, 2))
    np.testing.assert_allclose(masked.values, np.tile(indexed.values, 2))
    assert len(known.index_masked(located, np.ones((1, visible), bool)).ids) <= (0 if visible else 1)


def test_without_character_ngrams_masking_the_last_word_is_leaving_it_out() -> None:
    known = NgramIndexer.fit(["a good film", "a good film", "film film"], TextConfig(word_ngrams=2))
    masked = np.zeros((1, 9), bool)
    masked[0, -4:] = True
    without = known.index_masked(known.locate("a good film"), masked)
    np.testing.assert_array_equal(without.ids, known.index(["a good"]).ids)
    np.testing.assert_allclose(without.values, known.index(["a good"]).values)


# Where scores stand.


@pytest.mark.parametrize("scheme", ["words", "characters", "jamo", "whitespace"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("method", METHODS)
def test_spans_are_ordered_and_cut_the_text_as_typed(method: str, text: str, scheme: str) -> None:
    bundle = build({"text.scheme": scheme})
    explanation = explain(bundle, text, method)
    for token in explanation.tokens:
        assert token.text == text[token.start : token.end]
        assert np.isfinite(token.score)
    starts = [token.start for token in explanation.tokens]
    assert starts == sorted(starts)
    if not text.strip():
        assert sum(token.score for token in explanation.tokens if token.text.strip()) == 0
        assert explanation.gap in (0.0, None) or scheme in ("characters", "jamo")


@pytest.mark.parametrize("start", [False, True])
def test_the_neutral_text_repeats_the_mean_of_all_words_each_as_often_as_zipfs_law_says(start: bool) -> None:
    bundle = build({"text.start_token": start}, ngrams=False)
    words = bundle.weights["embedding.weight"][3 if start else 2 :].astype(np.float64)
    often = np.array([1 / (rank + 2.7) for rank in range(1, len(words) + 1)])
    mean = (often[:, None] * words).sum(0) / often.sum()
    by_hand = torch.tensor(mean, dtype=torch.float32).expand(5, 1, -1)
    with torch.no_grad():
        expected = bundle.network.read(by_hand, torch.tensor([5]))
    ids = np.full(5, bundle.indexer.vocabulary_size, np.int32)
    found = logits_of(bundle, TokenStore(ids, np.array([0, 5])))
    np.testing.assert_allclose(found, class_logits(expected.numpy()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_text_without_unknown_tokens_is_explained_the_same_whatever_their_vector(method: str) -> None:
    bundle, text = build({}), "the film was lovely and really boring"
    table = bundle.weights["embedding.weight"].copy()
    table[1] *= 100
    other = replace(bundle, weights={**bundle.weights, "embedding.weight": table})
    one, two = explain(bundle, text, method), explain(other, text, method)
    assert [token.score for token in one.tokens] == [token.score for token in two.tokens]
    assert explain(bundle, "xyzzy", method) != explain(other, "xyzzy", method)


@pytest.mark.parametrize("start", [False, True])
def test_a_word_never_seen_is_read_as_the_average_one_and_has_no_score_where_that_is_asked_for(
    start: bool,
) -> None:
    values = {**TINY, "text.scheme": "words", "model.ngrams": False, "text.start_token": start}
    rows = make_rows(60)
    learned, average = (
        fit(rows, Configuration().with_values({**values, "model.unknown": unknown}))
        for unknown in ("learned", "average")
    )
    tables = [each.weights["embedding.weight"] for each in (learned, average)]
    others = np.arange(len(tables[0])) != 1
    np.testing.assert_array_equal(tables[0][others], tables[1][others])
    words = tables[1][3 if start else 2 :]
    often = 1 / (np.arange(1, len(words) + 1) + 2.7)
    np.testing.assert_allclose(tables[1][1], often @ words / often.sum(), atol=1e-6)
    of = {token.text: token.score for token in explain(average, "lovely xyzzy film").tokens}
    assert of["xyzzy"] == pytest.approx(0, abs=1e-6) != pytest.approx(of["lovely"], abs=1e-6)


def test_what_was_cut_off_has_only_scores_of_ngrams_and_unknown_tokens_have_their_own() -> None:
    explanation = explain(build({}), TEXTS["cut off"])
    assert len(explanation.tokens) == 60
    recurrent = np.array([token.score - (token.ngrams or 0) for token in explanation.tokens])
    assert (np.abs(recurrent[:30]) > 0).all()
    assert (recurrent[30:] == 0).all()
    unknown = explain(build({}), TEXTS["only unknown tokens"])
    assert all(abs(token.score - (token.ngrams or 0)) > 1e-4 for token in unknown.tokens)


def test_composed_and_decomposed_hangul_have_the_same_scores() -> None:
    bundle = build({})
    composed, decomposed = (
        explain(bundle, unicodedata.normalize(form, "재밌다 정말, 최고!!")) for form in ("NFC", "NFD")
    )
    assert [len(each.tokens) for each in (composed, decomposed)] == [6, 6]
    for one, other in zip(composed.tokens, decomposed.tokens, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-5)


# Neighbours.


@pytest.mark.parametrize("values", [*PADDED.values(), COUNTS, {"model.encoder": "convolution"}], ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_variants_answer_the_same_alone_and_beside_others(way: str, values: dict[str, Any]) -> None:
    bundle = build(values)
    readings = [read(bundle, text) for text in TEXTS.values()]
    generator = np.random.default_rng(2)
    gone = [generator.random((3, len(reading))) < 0.4 for reading in readings]
    together = logits_of(bundle, ablate(bundle, readings, gone, way))
    for i, (reading, masks) in enumerate(zip(readings, gone, strict=True)):
        for j, mask in enumerate(masks):
            alone = logits_of(bundle, ablate(bundle, [reading], [mask[None]], way))
            np.testing.assert_allclose(alone[0], together[3 * i + j], rtol=0, atol=1e-5)


@pytest.mark.parametrize("gone", range(6))
def test_a_deleted_word_is_a_text_without_it(gone: int) -> None:
    bundle, words = build({}), ["the", "film", "was", "lovely", "영화", "최고"]
    reading = read(bundle, " ".join(words))
    masks = np.arange(len(words))[None] == gone
    rest = " ".join(word for i, word in enumerate(words) if i != gone)
    found = logits_of(bundle, ablate(bundle, [reading], [masks], "delete"))
    np.testing.assert_allclose(found, logits_of(bundle, bundle.index([rest])), rtol=0, atol=1e-5)


def test_occlusion_is_the_fall_of_the_logit_without_each_token_read_by_itself() -> None:
    bundle = build({})
    explanation = explain(bundle, TEXT, "occlusion")
    reading, direction = read(bundle, TEXT), contrast(bundle, bundle.label_names.index(explanation.label))
    whole = logits_of(bundle, bundle.index([TEXT])) @ direction
    for i, token in enumerate(explanation.tokens):
        without = ablate(bundle, [reading], [np.arange(len(reading))[None] == i], "mask")
        assert token.score == pytest.approx((whole - logits_of(bundle, without) @ direction).item(), abs=1e-4)


def test_tokens_of_a_long_text_are_occluded_in_windows() -> None:
    explanation = explain(build({"text.maximum_length": 0}), "really boring film " * 1000, "occlusion")
    scores = [token.score for token in explanation.tokens]
    assert len(scores) == 3000
    assert len(set(scores[:70])) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_gpu_explains_as_the_cpu_does(encoder: str) -> None:
    for method in METHODS if encoder != "convolution" else METHODS[:2]:
        there, here = build({"model.encoder": encoder}), build({"model.encoder": encoder})
        there.network.to("cuda")
        scores = [[token.score for token in explain(each, TEXT, method).tokens] for each in (there, here)]
        np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)
