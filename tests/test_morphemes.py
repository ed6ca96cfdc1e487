"""Analysers cut before the vocabulary; their spans cut the text as it was typed."""

from __future__ import annotations

import threading
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import yeoun.text.morphemes as morphemes
from yeoun.config import TextConfig
from yeoun.errors import ConfigError
from yeoun.text.indexer import TextIndexer
from yeoun.text.morphemes import ANALYZERS, Morpheme, analyzer, locate

TRAINING = ["정말 감동적인 영화였어요", "너무 지루하고 별로였다", "the film wasn't great, 굿ㅋㅋㅋ"] * 2
MIXED = st.text(
    st.one_of(
        st.characters(), st.sampled_from("가각힣ㄱㅏ영화였어요 👍🏽👩\u200d\u1100\u1161\u11a8é\u0301.!?\n")
    ),
    max_size=30,
)
untimed = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def fitted(scheme: str) -> TextIndexer:
    return TextIndexer.fit(TRAINING, TextConfig(scheme=scheme, minimum_count=1))


@pytest.mark.parametrize("scheme", ANALYZERS)
@untimed
@given(text=MIXED, decomposed=st.booleans())
def test_spans_cut_the_text_as_typed_in_order(scheme: str, text: str, decomposed: bool) -> None:
    text = unicodedata.normalize("NFD", text) if decomposed else text
    indexer = fitted(scheme)
    tokens = indexer.tokens(text)
    assert all(0 <= token.start <= token.end <= len(text) for token in tokens)
    assert all(token.text == text[token.start : token.end] for token in tokens)
    assert all(a.start <= b.start for a, b in pairwise(tokens))
    ids, offsets, _ = indexer.index([text, ""])
    assert ids.tolist() == [token.token_id for token in tokens]
    assert offsets[1] == offsets[2]


@pytest.mark.parametrize(
    ("scheme", "text", "forms"),
    [
        ("kiwi", "영화였어요", ["영화", "이", "었", "어요"]),
        ("okt", "정말 감동적인 영화였어요", ["정말", "감동", "적", "인", "영화", "였어요"]),
        ("spacy", "it wasn't great", ["it", "was", "n't", "great"]),
    ],
)
def test_each_analyser_cuts_as_it_is_known_to(scheme: str, text: str, forms: list[str]) -> None:
    (found,) = analyzer(scheme).analyze([text])
    assert [morpheme.form for morpheme in found] == forms


@pytest.mark.parametrize("scheme", ANALYZERS)
def test_an_analyser_answers_the_same_from_another_thread(scheme: str) -> None:
    indexer, results = fitted(scheme), []
    thread = threading.Thread(target=lambda: results.append(indexer.index(TRAINING)[0].tolist()))
    thread.start()
    thread.join()
    assert results == [indexer.index(TRAINING)[0].tolist()]


@pytest.mark.parametrize("scheme", ANALYZERS)
def test_a_missing_analyser_names_its_extra(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("kiwipiepy", "konlpy.tag", "spacy"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    extra = {"kiwi": "korean", "okt": "okt", "spacy": "spacy"}[scheme]
    with pytest.raises(ConfigError, match=rf"pip install 'yeoun\[{extra}\]'"):
        morphemes.ANALYZERS[scheme]()


def test_forms_are_located_where_they_stand() -> None:
    assert locate("a  bc d", ["a", "bc", "x", "d"]) == [
        Morpheme("a", 0, 1),
        Morpheme("bc", 3, 5),
        Morpheme("x", 5, 5),
        Morpheme("d", 6, 7),
    ]
