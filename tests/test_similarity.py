"""Nearly the same texts: every pair that counting finds is found, and no other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yeoun.doctor import similarity
from yeoun.doctor.similarity import similar_pairs

untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = ["the", "film", "was", "good", "bad", "long"]
ENGLISH = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join), max_size=25)
KOREAN = st.lists(st.text("영화정말 ", max_size=12).filter(str.strip), max_size=25)


def counted(texts: list[str], threshold: float) -> dict[tuple[int, int], float]:
    """Return the similarity of each two texts that are similar, one by one."""
    if any("가" <= character <= "힣" for character in "".join(texts)):
        runs = [list(f" {' '.join(text.split())} ") for text in texts]
    else:
        runs = [text.split() for text in texts]
    sets = [set(itertools.pairwise(run)) for run in runs]
    found = {}
    for (i, one), (j, other) in itertools.combinations(enumerate(sets), 2):
        if one and other and len(one & other) >= threshold * len(one | other) - 1e-9:
            found[i, j] = len(one & other) / len(one | other)
    return found


@untimed
@given(st.one_of(ENGLISH, KOREAN), st.sampled_from([0.5, 0.7, 0.8, 1.0]))
def test_exactly_the_pairs_that_counting_finds_are_found(texts: list[str], threshold: float) -> None:
    pairs = similar_pairs(texts, threshold)
    places = zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    found = dict(zip(places, pairs.similarity.tolist(), strict=True))
    assert found == pytest.approx(counted(texts, threshold))
    assert list(pairs.similarity) == sorted(pairs.similarity, reverse=True)


def test_none_is_missed_where_texts_are_looked_at_in_many_small_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(WORDS, 12)) for _ in range(150)]
    texts += [f"{text} again" for text in texts[::3]]
    whole = similar_pairs(texts)
    assert len(whole.first) >= 50
    monkeypatch.setattr(similarity, "_MEETINGS", 7)
    monkeypatch.setattr(similarity, "_COMPARED", 11)
    for one, other in zip(whole, similar_pairs(texts), strict=True):
        assert sorted(one) == sorted(other)


def test_one_word_of_twenty_may_be_exchanged_and_three_may_not() -> None:
    words = [f"w{i}" for i in range(20)]
    once, thrice = words.copy(), words.copy()
    once[9], thrice[4], thrice[9], thrice[14] = "x", "x", "x", "x"
    pairs = similar_pairs([" ".join(each) for each in (words, once, thrice)])
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0], [1])
    assert pairs.similarity == pytest.approx([17 / 21])
