"""The title of a text that begins as a message does counts once more, apart, with machines of its own."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import make_rows
from test_ngrams import BOTH, TEXTS, counted, make_three, matrix, reference
from yeoun.config import TextConfig
from yeoun.data.rows import labelled
from yeoun.text.ngrams import NgramIndexer
from yeoun.text.titles import title_span
from yeoun.training.ngrams import feature_matrix, fit_ngrams, fit_scores, score_unseen

MESSAGES = {
    "From: ann@example.org\nSubject: Re: a slow disk\nLines: 2\n\nMy disk is slow.": "Re: a slow disk",
    "Subject: it goes\n\ton here\nFrom: bob\n\nbody": "it goes\n\ton here",
    "\n  제목: 환불 문의\n내용: 언제 되나요": "환불 문의",
    "TITLE:  The   End \r\n\r\nIt ends.": "The   End ",
    "Subject: old\rFrom: mac\r\rbody": "old",
    "보낸이: 나\n제목： 전각\n": "전각",
    "Subject:\n folded at once\nFrom: bob": "folded at once",
    ": ann\nSubject: a name is gone": "a name is gone",
    "Article-I.D.: x.1\nsubject: one\nSubject: two\n": "one",
    "From:\n folded\nSubject: with nothing else": "with nothing else",
}
UNTITLED = (
    *(text for texts in TEXTS.values() for text in texts),
    "Hello,\nSubject: not a message",
    "From: ann\n\nSubject: in the body",
    "Subject:\nFrom: nobody",
    "Subject: \n",
    "subjects: several",
    "Note: a film\nthat I saw",
)
FOUND = (*MESSAGES, *UNTITLED)


@pytest.mark.parametrize(
    ("text", "title"), [*MESSAGES.items(), ("제목:환불\n", "환불"), ("a:b\nSubject:c d", "c d")]
)
def test_a_message_has_a_title(text: str, title: str) -> None:
    span = title_span(text)
    assert span is not None
    assert text[slice(*span)] == title


@pytest.mark.parametrize("text", UNTITLED)
def test_other_texts_have_none(text: str) -> None:
    assert title_span(text) is None


@given(st.text(st.sampled_from("ab: \n\t제목subject가é"), max_size=40))
def test_a_title_is_on_the_line_that_names_it(text: str) -> None:
    for said in (text, f"Subject: {text}", f"a: {text}\nTitle: b"):
        if (span := title_span(said)) is not None:
            before, title = said[: span[0]].rstrip(" \t").casefold(), said[slice(*span)]
            assert before.rstrip().endswith(("subject:", "title:", "제목:"))
            assert title.strip()
            assert all(line[0] in " \t" and line.strip() for line in title.split("\n")[1:])


@pytest.mark.parametrize(("words", "characters"), [(2, 4), (3, 0), (0, 5)])
def test_ngrams_of_a_title_are_counted_in_the_text_and_once_more(words: int, characters: int) -> None:
    for text, buckets in zip(FOUND, counted(FOUND, words, characters), strict=True):
        apart = Counter(count for bucket, count in buckets.items() if bucket >= 2**44)
        inside = Counter(count for bucket, count in buckets.items() if bucket < 2**44)
        assert inside == Counter(reference(text, words, characters).values())
        of_title = reference(MESSAGES[text], words, characters) if text in MESSAGES else Counter()
        assert apart == Counter(of_title.values())


def fitted() -> NgramIndexer:
    return NgramIndexer.fit([*FOUND, *FOUND], BOTH)


def of_titles(indexer: NgramIndexer) -> np.ndarray:
    return indexer.buckets >= 2**24


def test_a_text_and_its_title_have_features_of_length_one_each() -> None:
    indexer = fitted()
    assert of_titles(indexer).sum() == len(indexer) - indexer.of_texts
    long = [text + " and so it goes on" * 200 for text in MESSAGES]
    squares = matrix(indexer, [*MESSAGES, *long]) ** 2
    for part in (of_titles(indexer), ~of_titles(indexer)):
        np.testing.assert_allclose(squares[:, part].sum(1), 1, rtol=1e-5)


def test_titles_have_machines_of_their_own_beside_the_texts() -> None:
    rows = make_three(120)
    titled = [f"Subject: {text}\n\nit is said again: {text}" for text in rows.texts]
    both = fit_ngrams(replace(rows, texts=titled), BOTH)
    of_texts = both.indexer.of_texts
    features = feature_matrix(both.indexer, titled)
    texts, titles = (
        fit_scores(part, part.shape[1], rows.targets, 3)
        for part in (features[:, :of_texts], features[:, of_texts:])
    )
    for name, text, title in zip(("weight", "bias"), texts, titles, strict=True):
        own = np.concatenate([text, 0.3 * title]) if name == "weight" else text + 0.3 * title
        np.testing.assert_allclose(both.parameters[f"ngrams.{name}"], own, rtol=1e-5, atol=1e-7)


def test_a_title_tells_what_a_long_text_hides() -> None:
    words = [f"{first}{second}" for first in "abcdefgh" for second in "stuvwxyz"]
    draw = np.random.default_rng(0)
    names = ("one", "two", "three")
    texts = [
        f"Subject: {names[i % 3]}\n\n{' '.join(draw.choice(words, 300))} {' '.join(names)}" for i in range(90)
    ]
    rows = labelled(texts, [names[i % 3] for i in range(90)])
    config = TextConfig(word_ngrams=1)
    learned, unseen = rows.take(np.arange(60)), rows.take(np.arange(60, 90))
    right = fit_ngrams(learned, config).score(unseen.texts).argmax(1) == unseen.targets
    assert right.mean() > 0.9


def test_titles_of_few_rows_leave_the_other_texts_as_they_were() -> None:
    rows = make_rows(200)
    kept = np.sort(np.concatenate([rows.rows_with(0)[:20], rows.rows_with(1)]))  # a label is rare
    learned, unseen = rows.take(kept), make_rows(100, seed=1)
    titled = [f"Title: zz\n{text}" if row in (0, 50) else text for row, text in enumerate(learned.texts)]
    config = TextConfig(word_ngrams=2)
    before, after = fit_ngrams(learned, config), fit_ngrams(replace(learned, texts=titled), config)
    assert after.indexer.of_texts < len(after.indexer)
    np.testing.assert_allclose(after.score(unseen.texts), before.score(unseen.texts), atol=0.05)


def test_machines_that_did_not_see_a_row_part_titles_too(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = make_three(90)
    titled = replace(rows, texts=[f"Subject: {text}\n\n{text}" for text in rows.texts])
    parted = []

    def spy(features: Any, of_texts: int, *others: Any) -> Any:
        parted.append((features.shape[1], of_texts))
        return fit_scores(features, of_texts, *others)

    monkeypatch.setattr("yeoun.training.ngrams.fit_scores", spy)
    unseen = score_unseen(titled, BOTH, seed=0)
    indexer = NgramIndexer.fit(titled.texts, BOTH)
    assert set(parted) == {(len(indexer), indexer.of_texts)}
    assert (unseen.argmax(1) == rows.targets).mean() > 0.9


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_composed_and_decomposed_titles_are_the_same(form: str) -> None:
    indexer = fitted()
    texts = [unicodedata.normalize(form, text) for text in MESSAGES]
    for mine, other in zip(indexer.index(texts), indexer.index(list(MESSAGES)), strict=True):
        np.testing.assert_array_equal(mine, other)


def without_titles(indexer: NgramIndexer) -> NgramIndexer:
    kept = ~of_titles(indexer)
    return replace(indexer, buckets=indexer.buckets[kept], idf=indexer.idf[kept])


def test_a_text_without_a_title_has_the_features_that_it_had() -> None:
    indexer = fitted()
    assert of_titles(indexer).any()
    for mine, other in zip(indexer.index(UNTITLED), without_titles(indexer).index(UNTITLED), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_model_that_knows_no_titles_reads_them_as_text() -> None:
    plain = without_titles(fitted())
    features = matrix(plain, list(MESSAGES))
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    assert NgramIndexer.fit([*UNTITLED, *UNTITLED], BOTH).buckets.max() < 2**24


def masked(texts: Sequence[str]) -> list[np.ndarray]:
    """Visible characters of each text that belong to its title."""
    parts = []
    for text in texts:
        start, end = title_span(text) or (0, 0)
        visible = [i for i, c in enumerate(text) if not c.isspace()]
        parts.append(np.array([start <= i < end for i in visible]))
    return parts


def test_ngrams_are_located_in_the_title_and_hidden_with_it() -> None:
    indexer = fitted()
    texts = [text for text in MESSAGES if text.isascii()]
    for text, inside in zip(texts, masked(texts), strict=True):
        located, (expected,) = indexer.locate(text), matrix(indexer, [text])
        np.testing.assert_allclose(
            np.bincount(located.ids, located.values, len(indexer)), expected, rtol=1e-5, atol=1e-7
        )
        apart = of_titles(indexer)[located.ids]
        assert apart.any()
        for start, end in zip(located.starts[apart], located.ends[apart], strict=True):
            assert inside[start:end].all()
        hidden = indexer.index_masked(located, np.stack([np.zeros_like(inside), inside]))
        whole, rest = np.split(hidden.ids, hidden.offsets[1:-1])
        assert of_titles(indexer)[whole].any()
        assert not of_titles(indexer)[rest].any()
        np.testing.assert_allclose(np.square(hidden.values[hidden.offsets[1] :]).sum(), 1, rtol=1e-5)
