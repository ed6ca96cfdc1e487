"""Tests and intervals of differences: textbook values, symmetry, nothing against itself, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from yeoun.evaluation.metrics import score_answers
from yeoun.evaluation.significance import Sampled, holm, mcnemar_exact, mcnemar_mid_p, resample

# A busy machine is no failure.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
few = settings(untimed, max_examples=25)

both_right = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)
answer = st.integers(0, 3)
answered = st.lists(st.tuples(answer, answer, answer), min_size=1, max_size=30)


def counts(only_ours: int, only_theirs: int, alike: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each of two models is right, on so many rows that only one of them has right."""
    ours = [True] * only_ours + [False] * only_theirs + [True] * alike
    theirs = [False] * only_ours + [True] * only_theirs + [True] * alike
    return np.array(ours), np.array(theirs)


def random_answers(rows: int, seeds: int, several: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return answers of each seed and the labels, which have something to do with each other."""
    generator = np.random.default_rng(seed)
    shape = (rows, 3) if several else (rows,)
    labels = generator.integers(2 if several else 4, size=shape)
    noise = generator.integers(2 if several else 4, size=(seeds, *shape))
    return np.where(generator.random((seeds, *shape)) < 0.7, labels, noise), labels


# McNemar


def test_mcnemar_gives_the_published_values() -> None:
    # Fagerland, Lydersen & Laake 2013, table 1: 1 and 7 of 21 children, 0.070 and 0.039
    assert mcnemar_exact(*counts(1, 7, 13)) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar_mid_p(*counts(1, 7, 13)) == pytest.approx(0.0391, abs=5e-5)


@untimed
@given(both_right)
def test_mcnemar_is_the_binomial_test_of_the_rows_that_only_one_has_right(
    rows: list[tuple[bool, bool]],
) -> None:
    ours, theirs = np.array(rows).T
    only_ours, only_theirs = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    differing = only_ours + only_theirs
    expected = binomtest(only_ours, differing).pvalue if differing else 1.0
    assert mcnemar_exact(ours, theirs) == pytest.approx(expected)
    assert mcnemar_mid_p(ours, theirs) <= mcnemar_exact(ours, theirs)
    assert mcnemar_mid_p(ours, theirs) == mcnemar_mid_p(theirs, ours)
    assert mcnemar_mid_p(ours, ours) == mcnemar_exact(ours, ours) == 1.0


def test_the_mid_p_is_1_where_both_are_as_often_right() -> None:
    assert mcnemar_mid_p(*counts(6, 6)) == pytest.approx(1.0)


def test_the_mid_p_rejects_nearly_as_often_as_it_says_and_the_exact_p_too_seldom() -> None:
    generator = np.random.default_rng(0)
    rejected = np.zeros(2)
    for _ in range(2_000):
        only_ours = int(generator.binomial(20, 0.5))
        p = [test(*counts(only_ours, 20 - only_ours)) for test in (mcnemar_mid_p, mcnemar_exact)]
        rejected += np.array(p) < 0.05
    mid_p, exact = rejected / 2_000
    assert 0.03 < mid_p < 0.06
    assert exact <= mid_p


# Holm


def test_holm_gives_the_textbook_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@untimed
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_never_lowers_a_p_nor_changes_their_order(chances: list[float]) -> None:
    corrected = holm(chances)
    assert all(p <= q <= 1 for p, q in zip(chances, corrected, strict=True))
    in_order = [corrected[i] for i in np.argsort(chances, kind="stable")]
    assert in_order == sorted(in_order)
    assert min(corrected) == min(1.0, len(chances) * min(chances))


# resampling


@pytest.mark.parametrize("several", [False, True])
def test_a_resample_has_the_figures_of_the_rows_drawn(several: bool) -> None:
    answers, labels = random_answers(40, 2, several)
    drawn = np.random.default_rng(3).integers(40, size=(40, 7))
    sampled = resample(answers, labels, resamples=7, seed=3)
    assert list(sampled) == (["subset_accuracy", "micro_f1"] if several else ["accuracy", "macro_f1"])
    for model, of_seed in enumerate(answers):
        for figure, each in sampled.items():
            assert each.by_seed[model] == score_answers(of_seed, labels)[figure]
            for number, rows in enumerate(drawn.T):
                expected = score_answers(of_seed[rows], labels[rows])[figure]
                assert each.resampled[model, number] == pytest.approx(expected, abs=1e-12)


def test_all_models_meet_the_same_resamples_however_many_fit_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("yeoun.evaluation.significance._COUNTS", 100)
    answers, labels = random_answers(40, 3, several=False)
    together = resample(answers, labels, resamples=9)["macro_f1"].resampled
    for model in range(3):
        alone = resample(answers[model : model + 1], labels, resamples=9)["macro_f1"].resampled
        assert np.array_equal(alone[0], together[model])


@few
@given(answered)
def test_a_difference_turned_round_is_its_negative(rows: list[tuple[int, int, int]]) -> None:
    labels, ours, theirs = np.array(rows).T
    mine, yours = (resample(each[None], labels, resamples=50) for each in (ours, theirs))
    for figure in mine:
        there, back = (
            (a - b).estimate() for a, b in ((mine[figure], yours[figure]), (yours[figure], mine[figure]))
        )
        assert there.value == -back.value
        assert there.ci95 == pytest.approx([-bound for bound in reversed(back.ci95)], abs=1e-12)
        assert there.p == pytest.approx(back.p)


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_nothing_tells_a_model_from_itself(seeds: int) -> None:
    answers, labels = random_answers(50, seeds, several=False)
    for each in resample(answers, labels, resamples=50).values():
        nothing = (each - each).estimate()
        assert (nothing.value, nothing.p) == (0.0, 1.0)
        assert nothing.ci95[0] == -nothing.ci95[1] < 0 < nothing.ci95[1] < 2.2 / 50


def test_seeds_that_differ_widen_the_interval() -> None:
    resampled = np.random.default_rng(0).normal(0.0, 0.001, (3, 500))
    steady, shaken = (
        Sampled(np.array(by_seed), resampled, 1_000).estimate()
        for by_seed in ([0.5, 0.5, 0.5], [0.4, 0.5, 0.6])
    )
    assert steady.value == pytest.approx(shaken.value)
    assert steady.degrees > 100
    assert shaken.degrees == pytest.approx(2, abs=0.1)  # three seeds, and nearly nothing but the seeds
    assert shaken.standard_error == pytest.approx(0.1 / 3**0.5, rel=0.01)


def test_one_seed_of_one_stands_beside_several_of_another() -> None:
    answers, labels = random_answers(60, 4, several=False)
    several, one = resample(answers[:3], labels)["accuracy"], resample(answers[3:], labels)["accuracy"]
    difference = several - one
    assert difference.by_seed.shape == (3,)
    assert difference.estimate().value == pytest.approx(several.by_seed.mean() - one.by_seed[0])


# coverage, here of few simulations; `benchmarks/coverage.py` has many


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    covered, truth, simulations = 0, 0.86 - 0.80, 400
    for _ in range(simulations):
        shares = [0.76, 0.10, 0.04, 0.10]  # of rows that both, one, the other, none has right
        cell = generator.choice(4, 200, p=shares)
        answers = np.stack([(cell == 0) | (cell == 1), (cell == 0) | (cell == 2)]).astype(np.int64)
        both = resample(answers, np.ones(200, np.int64), 200)["accuracy"]
        difference = Sampled(
            both.by_seed[:1] - both.by_seed[1:], both.resampled[:1] - both.resampled[1:], 200
        )
        low, high = difference.estimate().ci95
        covered += low <= truth <= high
    assert 0.92 <= covered / simulations <= 0.98


@pytest.mark.parametrize("deviation", [0.0, 0.1])
def test_it_does_so_over_rows_and_seeds_together(deviation: float) -> None:
    generator = np.random.default_rng(1)
    covered, simulations, seeds, rows = 0, 400, 3, 200
    truth = float(norm.cdf(1 / np.sqrt(1 + deviation**2 + 0.25)))
    for _ in range(simulations):
        of_seed = deviation * generator.normal(size=(seeds, 1))
        ease = generator.normal(size=rows) + 0.5 * generator.normal(size=(seeds, rows))
        right = (1 + of_seed + ease > 0).astype(np.int64)
        low, high = resample(right, np.ones(rows, np.int64), 200)["accuracy"].estimate().ci95
        covered += low <= truth <= high
    assert 0.92 <= covered / simulations <= 0.98
