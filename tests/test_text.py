"""Texts become the right ids and spans, whatever is in them; vocabularies come out the same each time."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import subprocess
import sys
import unicodedata
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from yeoun.config import PAD_ID, START_ID, UNKNOWN_ID, TextConfig
from yeoun.errors import ConfigError, DataError
from yeoun.text.indexer import TextIndexer, Token
from yeoun.text.morphemes import ANALYZERS
from yeoun.text.normalization import Alignment, align, hangul_share, normalize
from yeoun.text.portions import portions
from yeoun.text.schemes import SCHEMES

# A busy machine is no failure.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

BUILT_IN = [name for name in SCHEMES if name not in ANALYZERS]
COUNTED = [name for name in BUILT_IN if name != "unigram"]
WORD_SCHEMES = [name for name in BUILT_IN if name not in ("bpe", "unigram")]
TRAINING = [
    "the film was great, really great!",
    "the story was long and the film was boring",
    "정말 재밌는 영화였어요",
    "정말 지루한 영화 ㅠㅠ",
    "a café by the sea ☕ 👩‍👩‍👧 1,000",
] * 3
FAMILY = "👩\u200d👩\u200d👧"
NASTY = [
    "",
    " ",
    "\n\t ",
    "great",
    "zzz qqq",
    unicodedata.normalize("NFD", "정말 재밌는 영화"),
    unicodedata.normalize("NFD", "café Ångström"),
    f"film {FAMILY}🏽 great {FAMILY}",
    "a\u0301\u0302\u0323 e\u0301 \u0301",
    "\ud800 film \udfff",
    "\ud83d\ude00",
    "İstanbul ΟΔΟΣ ẞ ŉ ﬁ",
    "\u212b \u2126 \u1e9b\u0323",
    "각\u11a8 \u1100\u1161\u11a8 ㄱㅏ",
    "e\u0f73\u0301",
    "don’t it's",
    "\u0000\u200b\ufeff\u2028\x85",
    "[PAD] [UNK] [SOS] ##a",
]
# Any code point, with what joins its neighbours drawn more often than chance would.
anything = st.text(
    st.characters() | st.sampled_from("\u0301\u0323\u200d\u1161\u11a8\u1100각aßİ👩\U0001f3fd\ud800\u0f73"),
    max_size=30,
) | st.sampled_from(NASTY)


@cache
def indexer(scheme: str, **changes: Any) -> TextIndexer:
    """An indexer fitted on TRAINING."""
    config = TextConfig(**{"scheme": scheme, "vocabulary_size": 120, "minimum_count": 1, **changes})
    return TextIndexer.fit(TRAINING, config)


def ids_of(fitted: TextIndexer, text: str) -> list[int]:
    """The ids of one text."""
    token_ids, offsets, _ = fitted.index([text])
    assert offsets.tolist() == [0, len(token_ids)]
    return [int(i) for i in token_ids]


@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("scheme", BUILT_IN)
@untimed
@given(text=anything)
def test_spans_are_ordered_inside_the_text_and_cut_it(scheme: str, lowercase: bool, text: str) -> None:
    tokens = indexer(scheme, lowercase=lowercase).tokens(text)
    for token in tokens:
        assert 0 <= token.start < token.end <= len(text)
        assert token.text == text[token.start : token.end]
    for before, after in pairwise(tokens):
        assert before.start <= after.start
        assert before.end <= after.end


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("scheme", BUILT_IN)
def test_index_gives_the_ids_of_tokens_for_known_nuisances(scheme: str, text: str) -> None:
    fitted = indexer(scheme)
    assert ids_of(fitted, text) == [token.token_id for token in fitted.tokens(text)]


@pytest.mark.parametrize("truncate", ["front", "back", "middle"])
@pytest.mark.parametrize("start_token", [False, True])
@pytest.mark.parametrize("scheme", BUILT_IN)
@untimed
@given(texts=st.lists(anything, max_size=4), maximum_length=st.sampled_from([0, 1, 2, 5]))
def test_index_equals_tokens_text_by_text(
    scheme: str, start_token: bool, truncate: str, texts: list[str], maximum_length: int
) -> None:
    fitted = indexer(scheme, start_token=start_token, truncate=truncate, maximum_length=maximum_length)
    token_ids, offsets, _ = fitted.index(texts)
    assert token_ids.dtype == np.int32
    assert offsets.dtype == np.int64
    assert len(offsets) == len(texts) + 1
    assert offsets[-1] == len(token_ids)
    for i, text in enumerate(texts):
        expected = [token.token_id for token in fitted.tokens(text)]
        assert token_ids[offsets[i] : offsets[i + 1]].tolist() == expected
        assert not maximum_length or len(expected) <= maximum_length


@pytest.mark.parametrize("scheme", BUILT_IN)
@untimed
@given(text=anything)
def test_composed_and_decomposed_text_have_the_same_ids(scheme: str, text: str) -> None:
    fitted = indexer(scheme)
    ids = ids_of(fitted, text)
    for form in ("NFC", "NFD"):
        assert ids_of(fitted, unicodedata.normalize(form, text)) == ids


@untimed
@given(text=anything)
@example(text="e\u0f73\u0301")
@example(text="\u0f71\u0f72\u0f73\u0301")
@example(text="a\u0344\u0323")
def test_an_alignment_has_a_stretch_for_each_normalised_character(text: str) -> None:
    alignment = align(text)
    whole = normalize(text)
    if alignment is None:
        assert len(whole) == len(text)
        return
    assert len(alignment.starts) == len(alignment.ends) == len(whole)
    stretches = sorted(set(zip(alignment.starts, alignment.ends, strict=True)))
    assert [start for start, _ in stretches] == [0, *(end for _, end in stretches[:-1])]
    assert stretches[-1][1] == len(text)
    assert "".join(normalize(text[start:end]) for start, end in stretches) == whole


def test_a_decomposed_syllable_is_one_stretch() -> None:
    assert align("각") is None
    assert align("\u1100\u1161\u11a8!") == Alignment([0, 3], [3, 4])
    assert align("ae\u0301") == Alignment([0, 1], [1, 3])


def test_the_spans_of_decomposed_hangul_cut_it_as_typed() -> None:
    typed = unicodedata.normalize("NFD", "정말 재밌는 영화")
    tokens = indexer("whitespace").tokens(typed)
    assert [token.text for token in tokens] == typed.split(" ")
    assert [unicodedata.normalize("NFC", token.text) for token in tokens] == ["정말", "재밌는", "영화"]


def test_lone_surrogates_become_question_marks_of_the_same_number() -> None:
    assert normalize("a\ud800\udfffb") == "a??b"
    assert normalize("\ud83d\ude00") == "??"
    assert normalize("😀") == "😀"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_share_of_hangul_does_not_depend_on_the_form(form: str) -> None:
    assert hangul_share([unicodedata.normalize(form, "정말 재밌는 영화")]) == 1.0


def test_the_share_of_hangul_counts_letters_only() -> None:
    assert hangul_share(["정말 ab, 12!"]) == 0.5
    assert hangul_share(["가" * 10_000 + "a" * 90_000, "a" * 10_000]) == 0.5
    assert hangul_share([]) == hangul_share(["", "12 !"]) == 0.0


LETTERS = {c: i + 2 for i, c in enumerate("abcdefgh")}


def of_letters(**changes: Any) -> TextIndexer:
    """An indexer in which a to h are 2 to 9, the start token counted in where there is one."""
    config = TextConfig(**{"scheme": "whitespace", "minimum_count": 1, **changes})
    return TextIndexer.fit(["a b c d e f g h"], config)


@pytest.mark.parametrize(
    ("truncate", "start_token", "length", "kept"),
    [
        ("back", False, 3, "abc"),
        ("front", False, 3, "fgh"),
        ("middle", False, 4, "abgh"),
        ("middle", False, 5, "abcgh"),
        ("middle", False, 1, "a"),
        ("back", True, 4, "abc"),
        ("front", True, 4, "fgh"),
        ("middle", True, 4, "abh"),
        ("back", True, 1, ""),
        ("front", True, 1, ""),
        ("middle", True, 1, ""),
        ("back", True, 9, "abcdefgh"),
        ("front", False, 8, "abcdefgh"),
        ("back", False, 0, "abcdefgh"),
        ("middle", True, 0, "abcdefgh"),
    ],
)
def test_truncation_keeps_the_end_it_is_told_to(
    truncate: str, start_token: bool, length: int, kept: str
) -> None:
    fitted = of_letters(truncate=truncate, start_token=start_token, maximum_length=length)
    shift = int(start_token)
    expected = [START_ID] * shift + [LETTERS[c] + shift for c in kept]
    assert ids_of(fitted, "a b c d e f g h") == expected
    texts = ["h", "a b c d e f g h", "", "a b c d e f g h", "a b"]
    token_ids, offsets, _ = fitted.index(texts)
    for i in (1, 3):
        assert token_ids[offsets[i] : offsets[i + 1]].tolist() == expected
    spans = [token.text for token in fitted.tokens("a b c d e f g h")]
    assert spans == [""] * shift + list(kept)


def test_the_start_token_stands_in_front_of_every_text() -> None:
    fitted = of_letters(start_token=True)
    token_ids, offsets, _ = fitted.index(["", "b", "", ""])
    assert token_ids.tolist() == [START_ID, START_ID, 4, START_ID, START_ID]
    assert offsets.tolist() == [0, 1, 3, 4, 5]
    assert fitted.tokens("") == [Token("", 0, 0, START_ID)]


def test_no_texts_have_no_tokens() -> None:
    for start_token in (False, True):
        token_ids, offsets, _ = of_letters(start_token=start_token).index([])
        assert token_ids.tolist() == []
        assert offsets.tolist() == [0]


def test_texts_beyond_one_chunk_are_indexed_like_the_first() -> None:
    fitted = of_letters()
    token_ids, offsets, _ = fitted.index(["a b c"] * 10_001 + ["h"])
    assert offsets.tolist() == [*range(0, 3 * 10_001 + 1, 3), 3 * 10_001 + 1]
    assert token_ids[-4:].tolist() == [2, 3, 4, 9]


def test_texts_that_lose_tokens_are_counted() -> None:
    texts = ["a b c", "a b c d", "a b", "", "a b c d e"]
    assert of_letters(maximum_length=3).index(texts).shortened == 2
    assert of_letters(maximum_length=3, start_token=True).index(texts).shortened == 3
    assert of_letters(maximum_length=0).index(texts).shortened == 0


@pytest.mark.parametrize("scheme", [*BUILT_IN, *ANALYZERS])
def test_fitting_and_indexing_in_one_pass_is_fitting_then_indexing(scheme: str) -> None:
    config = TextConfig(scheme=scheme, vocabulary_size=80, minimum_count=1, maximum_length=5)
    one_pass, indexed = TextIndexer.fit_index(TRAINING, config)
    fitted = TextIndexer.fit(TRAINING, config)
    assert one_pass.to_json() == fitted.to_json()
    for ours, theirs in zip(indexed, fitted.index(TRAINING), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_text_of_one_hundred_thousand_tokens_is_cut_at_the_maximum() -> None:
    fitted = of_letters(truncate="middle", maximum_length=400)
    ids = ids_of(fitted, "a " * 50_000 + "h " * 50_000)
    assert ids == [LETTERS["a"]] * 200 + [LETTERS["h"]] * 200


@pytest.mark.parametrize("start_token", [False, True])
@pytest.mark.parametrize("scheme", BUILT_IN)
@untimed
@given(size=st.integers(3, 60))
def test_the_vocabulary_is_never_larger_than_asked_for(scheme: str, start_token: bool, size: int) -> None:
    config = TextConfig(scheme=scheme, vocabulary_size=size, minimum_count=1, start_token=start_token)
    try:
        fitted = TextIndexer.fit(TRAINING, config)
    except DataError:
        assert size <= 4  # hardly more than the special tokens
        return
    except ConfigError:
        assert scheme == "unigram"  # it needs room for every character
        return
    assert fitted.vocabulary_size <= size
    token_ids, _, _ = fitted.index(TRAINING)
    assert token_ids.max() < fitted.vocabulary_size


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_the_special_tokens_have_the_first_ids(scheme: str) -> None:
    plain, started = indexer(scheme).vocabulary(), indexer(scheme, start_token=True).vocabulary()
    assert plain[:2] == ["[PAD]", "[UNK]"]
    assert started[:3] == ["[PAD]", "[UNK]", "[SOS]"]
    assert "[SOS]" not in plain
    assert (PAD_ID, UNKNOWN_ID, START_ID) == (0, 1, 2)


def test_entries_are_ordered_by_falling_count_and_ties_by_code_point() -> None:
    fitted = TextIndexer.fit(["c c b a 나 가 b c", "d"], TextConfig(scheme="whitespace", minimum_count=1))
    assert fitted.vocabulary()[2:] == ["c", "b", "a", "d", "가", "나"]
    largest = TextConfig(scheme="whitespace", minimum_count=1, vocabulary_size=5)
    assert TextIndexer.fit(["c c b a 나 가 b c"], largest).vocabulary()[2:] == ["c", "b", "a"]
    keeps_all = TextConfig(scheme="whitespace", minimum_count=1, vocabulary_size=0)
    assert TextIndexer.fit(["c c b a 나 가 b c"], keeps_all).vocabulary_size == 7


@pytest.mark.parametrize("scheme", WORD_SCHEMES)
def test_what_is_seen_too_rarely_is_unknown(scheme: str) -> None:
    texts = ["x x x y", "y z"]
    fitted = TextIndexer.fit(texts, TextConfig(scheme=scheme, minimum_count=2))
    known = [entry for entry in fitted.vocabulary()[2:] if not entry.isspace()]
    assert known == ["x", "y"]
    assert [
        t.token_id == UNKNOWN_ID
        for t in fitted.tokens("xyz" if scheme in ("characters", "jamo") else "x y z")
    ] == [
        False,
        False,
        True,
    ]


def test_a_rare_character_is_unknown_to_subwords() -> None:
    fitted = TextIndexer.fit(["ab ab ab z"], TextConfig(scheme="bpe", minimum_count=3))
    assert UNKNOWN_ID not in ids_of(fitted, "ab")
    assert ids_of(fitted, "z") == [UNKNOWN_ID]


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_a_vocabulary_knows_the_training_texts_only(scheme: str) -> None:
    fitted = indexer(scheme)
    before = fitted.to_json()
    for token in fitted.tokens("ЖЩ ЖЩ"):
        assert token.token_id == UNKNOWN_ID or token.text == " "
    assert fitted.tokens("ЖЩ")
    assert fitted.to_json() == before


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_lower_case_is_a_choice(scheme: str) -> None:
    folded, kept = indexer(scheme, lowercase=True), indexer(scheme, lowercase=False)
    assert ids_of(folded, "GREAT") == ids_of(folded, "great")
    assert set(ids_of(kept, "GREAT")) == {UNKNOWN_ID}


def test_subwords_know_the_letters_that_lower_case_makes() -> None:
    texts = ["ΟΔΟΣ ΝΟΜΟΣ ΛΟΓΟΣ "] * 5  # Python ends lower-case words in another sigma, the pipeline does not
    fitted = TextIndexer.fit(texts, TextConfig(scheme="bpe", vocabulary_size=100))
    assert UNKNOWN_ID not in ids_of(fitted, "ΟΔΟΣ ΝΟΜΟΣ ΛΟΓΟΣ ΣΟΣ")


@pytest.mark.parametrize("start_token", [False, True])
@pytest.mark.parametrize("scheme", BUILT_IN)
def test_a_text_that_spells_a_special_token_is_never_taken_for_padding_or_a_start(
    scheme: str, start_token: bool
) -> None:
    fitted = indexer(scheme, start_token=start_token)
    specials = {PAD_ID, START_ID} if start_token else {PAD_ID}
    ids = ids_of(fitted, "film [PAD] [SOS] film")[start_token:]
    assert not specials & set(ids)


def test_a_pattern_says_what_a_word_is() -> None:
    fitted = TextIndexer.fit(["it's 5 films"], TextConfig(pattern=r"[a-z]+", minimum_count=1))
    assert [token.text for token in fitted.tokens("It's 7 FILMS!")] == ["It", "s", "FILMS"]
    plain = TextIndexer.fit(["it's 5 films"], TextConfig(minimum_count=1))
    assert [token.text for token in plain.tokens("It's 7 films!")] == ["It's", "7", "films", "!"]


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"text\.pattern = '\('"):
        TextIndexer.fit(["a b"], TextConfig(pattern="("))


def test_subwords_need_a_vocabulary_size() -> None:
    with pytest.raises(ConfigError, match=r"text\.vocabulary_size = 0"):
        TextIndexer.fit(["a b"], TextConfig(scheme="bpe", vocabulary_size=0))


@pytest.mark.parametrize("texts", [[], ["", ""], ["\ud800"], ["a", "b"]])
@pytest.mark.parametrize("scheme", COUNTED)
def test_texts_without_a_frequent_token_are_refused(scheme: str, texts: list[str]) -> None:
    with pytest.raises(DataError, match=r"no token .*text\.minimum_count"):
        TextIndexer.fit(texts, TextConfig(scheme=scheme, minimum_count=2))


@pytest.mark.parametrize("start_token", [False, True])
@pytest.mark.parametrize("scheme", BUILT_IN)
@untimed
@given(text=anything)
def test_a_saved_indexer_reads_every_text_alike(scheme: str, start_token: bool, text: str) -> None:
    fitted = indexer(scheme, start_token=start_token)
    loaded = again(scheme, start_token)
    assert loaded.tokens(text) == fitted.tokens(text)
    assert ids_of(loaded, text) == ids_of(fitted, text)


@cache
def again(scheme: str, start_token: bool) -> TextIndexer:
    """The indexer of `indexer(...)`, written and read."""
    fitted = indexer(scheme, start_token=start_token)
    return TextIndexer.from_json(fitted.to_json(), dataclasses.replace(fitted.config))


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_json_survives_being_read_and_written(scheme: str) -> None:
    fitted = indexer(scheme)
    loaded = TextIndexer.from_json(fitted.to_json(), fitted.config)
    assert loaded.to_json() == fitted.to_json()
    assert loaded.vocabulary() == fitted.vocabulary()


def many_ties() -> list[str]:
    """Texts of 300 words whose counts, and whose pairs of letters, are often the same."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefgh가나다라", k=4)) for _ in range(300)]
    return [" ".join(draw.choices(words, k=8)) for _ in range(200)]


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_fitting_twice_gives_the_same_json(scheme: str) -> None:
    config = TextConfig(scheme=scheme, vocabulary_size=150)
    first = TextIndexer.fit(many_ties(), config).to_json()
    for _ in range(3):
        assert TextIndexer.fit(many_ties(), config).to_json() == first


@pytest.mark.parametrize("scheme", BUILT_IN)
def test_the_order_of_the_texts_does_not_matter(scheme: str) -> None:
    config = TextConfig(scheme=scheme, vocabulary_size=150)
    texts = many_ties()
    shuffled = random.Random(1).sample(texts, len(texts))
    assert shuffled != texts
    assert TextIndexer.fit(shuffled, config).to_json() == TextIndexer.fit(texts, config).to_json()


FIT_ELSEWHERE = """
import hashlib, sys
from yeoun.config import PAD_ID, START_ID, UNKNOWN_ID, TextConfig
from yeoun.text.indexer import TextIndexer
texts = sys.stdin.buffer.read().decode().split("\\n")
for scheme in sys.argv[1:]:
    json = TextIndexer.fit(texts, TextConfig(scheme=scheme, vocabulary_size=150)).to_json()
    print(scheme, hashlib.sha256(json.encode()).hexdigest())
"""


def test_another_process_with_another_hash_seed_fits_the_same_vocabulary() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIT_ELSEWHERE, *BUILT_IN],
        input="\n".join(many_ties()).encode(),
        env={**os.environ, "PYTHONHASHSEED": "4321", "RAYON_NUM_THREADS": "1"},
        capture_output=True,
        check=True,
    )
    there = dict(line.split() for line in done.stdout.decode().splitlines())
    for scheme in BUILT_IN:
        here = TextIndexer.fit(many_ties(), TextConfig(scheme=scheme, vocabulary_size=150)).to_json()
        assert there[scheme] == hashlib.sha256(here.encode()).hexdigest(), scheme


@given(st.lists(st.text(max_size=9)), st.integers(1, 5), st.integers(1, 20))
def test_portions_hold_every_text_in_order_and_end_in_time(
    texts: list[str], most: int, characters: int
) -> None:
    found = list(portions(texts, len, most, characters))
    assert [text for portion in found for text in portion] == texts
    for portion in found:
        assert 0 < len(portion) <= most
        assert sum(map(len, portion[:-1])) < characters


@pytest.mark.parametrize("scheme", ["words", "unigram"])
def test_texts_are_cut_alike_in_portions_of_any_size(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TextConfig(scheme=scheme, vocabulary_size=200, minimum_count=1)
    whole = TextIndexer.fit_index(TRAINING, config)
    for module in ("indexer", "schemes"):
        monkeypatch.setattr(f"yeoun.text.{module}.portions", partial(portions, characters=7))
    again = TextIndexer.fit_index(TRAINING, config)
    assert again[0].to_json() == whole[0].to_json()
    np.testing.assert_array_equal(again[1].token_ids, whole[1].token_ids)
    np.testing.assert_array_equal(again[1].offsets, whole[1].offsets)
