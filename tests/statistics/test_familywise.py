"""Error rates of whole families of comparisons by simulation: what a correction promises has to be seen.

Conditions are compared with a reference. Paired ones share seed effects of twice the noise.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from rothamsted.catalog import TESTS
from rothamsted.statistics.compare import Question
from rothamsted.statistics.corrections import correct
from rothamsted.statistics.families import dunnett, tukey

N_COMPARED = 4  # conditions beside the reference

# Replicates with which the test can reach 0.05 / 4 at all: 2 / 2^8, 2 / C(10, 5); t tests reach it with three.
N_REPLICATES = {"paired_t": 3, "guarded_t": 3, "welch": 5, "guarded_welch": 5}
N_REPLICATES |= {"wilcoxon": 8, "paired_permutation": 8, "permutation": 5}


def _p_values(test: str, rng: np.random.Generator, shifts: np.ndarray) -> np.ndarray:
    """Compare conditions of these mean shifts with a reference, as one simulated sweep gives them."""
    n = N_REPLICATES[test]
    values = rng.normal(size=(len(shifts) + 1, n))
    values[1:] += shifts[:, None]
    if TESTS[test].is_paired:
        values += 2 * rng.normal(size=n)  # seed effects
    question = Question(alternative="two-sided", null=0.0, level=0.95, seed=0)
    return np.array([TESTS.function(test)(condition, values[0], question).p_value for condition in values[1:]])


def _family_wise_error(test: str, method: str, shifts: np.ndarray, n_sweeps: int) -> float:
    """Share of sweeps in which a condition that equals the reference is called different."""
    rng = np.random.default_rng(1979)
    wrong = 0
    for _ in range(n_sweeps):
        corrected = correct(_p_values(test, rng, shifts), method)
        wrong += bool((corrected[shifts == 0] <= 0.05).any())
    return wrong / n_sweeps


def _bound(rate: float, n_sweeps: int) -> float:
    """Return a rate and 3.5 Monte-Carlo standard errors."""
    return rate + 3.5 * math.sqrt(rate * (1 - rate) / n_sweeps)


@pytest.mark.parametrize("method", ["holm", "bonferroni", "bh"])
@pytest.mark.parametrize("test", sorted(TESTS))
def test_a_corrected_family_of_equal_conditions_is_rarely_called_different(test: str, method: str) -> None:
    # Theory: at most 5 %; where nothing differs that holds for Benjamini & Hochberg too.
    assert _family_wise_error(test, method, np.zeros(N_COMPARED), 150) <= _bound(0.05, 150)


def test_without_correction_a_family_errs_far_more_often() -> None:
    # The simulation can fail: four uncorrected paired comparisons err in 10 to 19 % of sweeps (1 - 0.95^4 = 0.185 were
    # they independent).
    assert _family_wise_error("paired_t", "none", np.zeros(N_COMPARED), 400) > 0.09


@pytest.mark.slow
@pytest.mark.parametrize("shifts", [[0.0, 0, 0, 0], [0.0, 0, 50, 50], [0.0, 0, 0, 2]], ids=str)
@pytest.mark.parametrize("method", ["holm", "bonferroni"])
@pytest.mark.parametrize("test", sorted(TESTS))
def test_a_corrected_family_is_rarely_wrong_in_full(test: str, method: str, shifts: list[float]) -> None:
    # Holm and Bonferroni promise it whatever the others are (strong control).
    assert _family_wise_error(test, method, np.array(shifts), 4_000) <= _bound(0.05, 4_000)


def _false_discovery_rate(test: str, n_sweeps: int) -> float:
    """Mean share of false findings where half of the conditions differ."""
    rng = np.random.default_rng(1995)
    shifts = np.array([0.0, 3.0] * 5)
    shares = []
    for _ in range(n_sweeps):
        found = correct(_p_values(test, rng, shifts), "bh") <= 0.05
        shares.append((found & (shifts == 0)).sum() / max(1, found.sum()))
    return float(np.mean(shares))


@pytest.mark.parametrize("test", ["paired_t", "welch"])
def test_benjamini_and_hochberg_bound_the_share_of_false_findings(test: str) -> None:
    # Theory: at most 0.05 times the share of true nulls, 0.025, for independent or positively dependent tests.
    assert _false_discovery_rate(test, 150) <= 0.025 + 3.5 * 0.1 / math.sqrt(150)


@pytest.mark.slow
@pytest.mark.parametrize("test", sorted(TESTS))
def test_benjamini_and_hochberg_bound_the_share_of_false_findings_in_full(test: str) -> None:
    # The share of one sweep scatters by less than 0.1.
    assert _false_discovery_rate(test, 3_000) <= 0.025 + 3.5 * 0.1 / math.sqrt(3_000)


def _simultaneous_error(family: str, n: int, is_paired: bool, n_sweeps: int) -> float:
    """Share of sweeps of five equal conditions in which Dunnett or Tukey calls any two different."""
    rng = np.random.default_rng(1955)
    run = {"dunnett": dunnett, "tukey": tukey}[family]
    wrong = 0
    for _ in range(n_sweeps):
        values = rng.normal(size=(N_COMPARED + 1, n)) + (2 * rng.normal(size=n) if is_paired else 0)
        members = run(values, is_paired=is_paired).members
        is_wrong = [not member.low <= 0 <= member.high for member in members]
        wrong += any(is_wrong)
    return wrong / n_sweeps


@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("family", ["dunnett", "tukey"])
def test_simultaneous_intervals_hold_together(family: str, is_paired: bool) -> None:
    assert _simultaneous_error(family, 3, is_paired, 60) <= _bound(0.05, 60)


@pytest.mark.slow
@pytest.mark.parametrize("is_paired", [True, False])
@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("family", ["dunnett", "tukey"])
def test_simultaneous_intervals_hold_together_at_just_their_level(family: str, n: int, is_paired: bool) -> None:
    # Theory: exact for groups of one size, so the error rate is 5 %, neither more nor less.
    assert abs(_simultaneous_error(family, n, is_paired, 2_000) - 0.05) <= _bound(0.05, 2_000) - 0.05


def _undercoverage(test: str, n: int, n_samples: int) -> float:
    """Share of intervals that miss a true difference of 1."""
    rng = np.random.default_rng(1908)
    question = Question(alternative="two-sided", null=0.0, level=0.95, seed=0)
    missed = 0
    for _ in range(n_samples):
        a, b = rng.normal(size=(2, n)) + (rng.normal(size=n) if TESTS[test].is_paired else 0)
        answer = TESTS.function(test)(a + 1, b, question)
        missed += not answer.low <= 1 <= answer.high
    return missed / n_samples


@pytest.mark.parametrize("test", sorted(TESTS))
def test_the_interval_of_a_difference_covers_it(test: str) -> None:
    # Theory: at least 0.95 (counting tests are conservative; Welch's is approximate and conservative with equal n).
    assert _undercoverage(test, 6, 300) <= _bound(0.05, 300)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 8])
@pytest.mark.parametrize("test", sorted(TESTS))
def test_the_interval_of_a_difference_covers_it_in_full(test: str, n: int) -> None:
    assert _undercoverage(test, n, 5_000) <= _bound(0.05, 5_000)
