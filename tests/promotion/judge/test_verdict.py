"""The verdict on one challenger: what is promoted, kept or undecided, and with which numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rothamsted.errors import DataError
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.judge.verdict import decide
from rothamsted.promotion.types import Verdict
from tests.promotion.contestants import CHALLENGER, CHAMPION, HIGH, LOW, P_VALUE, evidence, policy, verdict_on


def test_the_comparison_matches_hand_calculation() -> None:
    verdict = verdict_on(CHALLENGER)
    assert verdict.p_value == pytest.approx(P_VALUE, abs=1e-6)
    assert verdict.difference is not None
    found = (verdict.difference.estimate, verdict.difference.low, verdict.difference.high)
    assert found == pytest.approx((-0.2, -HIGH, -LOW), abs=1e-6)


def test_a_verdict_says_what_it_rests_on() -> None:
    verdict = verdict_on(CHALLENGER)
    assert (verdict.decision, verdict.test, verdict.n, verdict.is_paired) == ("promoted", "paired t", 3, True)
    assert (verdict.compared_with, verdict.level, verdict.more_replicates) == ("3", 0.95, None)
    assert verdict.difference is not None
    assert verdict.difference.level == pytest.approx(0.9)  # two one-sided limits at 0.95


@pytest.mark.parametrize(
    ("smallest", "decision"),
    [(0.0, "promoted"), (0.031, "promoted"), (0.032, "undecided"), (0.368, "undecided"), (0.369, "kept")],
)
def test_the_limits_of_the_improvement_decide(smallest: float, decision: str) -> None:
    assert verdict_on(CHALLENGER, smallest_improvement=smallest).decision == decision


@pytest.mark.parametrize(
    ("margin", "decision"), [(0.369, "promoted"), (0.368, "undecided"), (0.032, "undecided"), (0.031, "kept")]
)
def test_a_challenger_may_be_worse_by_less_than_the_margin(margin: float, decision: str) -> None:
    # The contestants changed places: the improvement lies between -0.368585 and -0.031415.
    assert verdict_on(CHAMPION, CHALLENGER, kind="non_inferiority", margin=margin).decision == decision


def test_a_higher_metric_is_better_where_the_policy_maximizes() -> None:
    objective = {"metric": "val_loss", "direction": "maximize"}
    assert verdict_on(CHAMPION, CHALLENGER, objective=objective).p_value == pytest.approx(P_VALUE, abs=1e-6)
    assert verdict_on(CHALLENGER, CHAMPION, objective=objective).decision == "kept"


NOISY = np.random.default_rng(4).normal(1.0, 0.1, size=(2, 9))


def _welch_by_scipy(a: np.ndarray, b: np.ndarray) -> float:
    """One-sided p-value for a below b."""
    from scipy.stats import ttest_ind

    return float(ttest_ind(a, b, equal_var=False, alternative="less").pvalue)  # pyright: ignore[reportAttributeAccessIssue]


def test_a_welch_test_agrees_with_scipy() -> None:
    found = verdict_on(NOISY[0], NOISY[1], test="welch", smallest_improvement=0.05)
    assert found.p_value == pytest.approx(_welch_by_scipy(NOISY[0] + 0.05, NOISY[1]), rel=1e-9)


def test_a_paired_permutation_test_agrees_with_scipy() -> None:
    from scipy.stats import permutation_test

    differences = NOISY[0] + 0.05 - NOISY[1]
    expected = permutation_test(
        (differences, np.zeros(9)), lambda a, b: np.mean(a - b), permutation_type="samples", alternative="less"
    )
    found = verdict_on(NOISY[0], NOISY[1], test="permutation", replicates=9, smallest_improvement=0.05)
    assert (found.test, found.p_value) == ("paired permutation", pytest.approx(float(expected.pvalue), rel=1e-9))


def test_an_unpaired_permutation_test_agrees_with_scipy() -> None:
    from scipy.stats import permutation_test

    a, b = NOISY[0, :6], NOISY[1, :6]
    expected = permutation_test((a, b), lambda x, y: x.mean() - y.mean(), alternative="less", n_resamples=10_000)
    found = verdict_on(a, b, test="permutation", replicates=6, is_paired=False)
    assert (found.test, found.p_value) == ("permutation", pytest.approx(float(expected.pvalue), rel=1e-9))


@pytest.mark.parametrize("test", ["paired_t", "welch", "permutation"])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), shift=st.floats(-0.3, 0.3), threshold=st.floats(0.0, 0.2))
def test_decision_interval_and_p_value_never_contradict_each_other(
    test: str, seed: int, shift: float, threshold: float
) -> None:
    values = np.random.default_rng(seed).normal(1.0, 0.1, size=(2, 7))
    found = verdict_on(values[0] + shift, values[1], test=test, replicates=7, smallest_improvement=threshold)
    assert found.difference is not None
    assert found.p_value is not None
    low, high = -found.difference.high, -found.difference.low
    by_p_value = found.p_value <= 1 - 0.95
    assert (found.decision == "promoted") == by_p_value == (low > threshold)
    assert (found.decision == "kept") == (high <= threshold)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.integers(-20, 20), moved=st.floats(-5, 5))
def test_a_verdict_depends_on_neither_unit_nor_origin(seed: int, scale: int, moved: float) -> None:
    values = np.random.default_rng(seed).normal(1.0, 0.1, size=(2, 6))
    changed = 2.0**scale * (values + moved)  # both contestants alike
    before = verdict_on(values[0], values[1], smallest_improvement=0.05)
    after = verdict_on(changed[0], changed[1], smallest_improvement=0.05 * 2.0**scale)
    assert (after.decision, after.more_replicates) == (before.decision, before.more_replicates)


def test_values_are_paired_by_seed_not_by_place() -> None:
    shuffled = evidence("new", [CHALLENGER[2], CHALLENGER[0], CHALLENGER[1]], seeds=[2, 0, 1])
    assert verdict_on(shuffled).p_value == pytest.approx(P_VALUE, abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, 5.0])
def test_a_pair_of_which_one_is_missing_is_left_out_and_counted(value: float) -> None:
    champion = evidence("old", (*CHAMPION, value), outcomes={} if value != 5.0 else {3: "failed"}, version="3")
    verdict = verdict_on((*CHALLENGER, 9.0), champion)
    assert (verdict.n, verdict.p_value) == (3, pytest.approx(P_VALUE, abs=1e-6))
    assert any("1\N{NO-BREAK SPACE}pair with a missing or infinite value" in text for text in verdict.reasons)


def test_runs_without_a_seed_make_no_pairs() -> None:
    champion = evidence("old", CHAMPION, version="3")
    seedless = tuple(replace(run, seed="") for run in champion.runs)
    verdict = verdict_on(CHALLENGER, replace(champion, runs=seedless))
    assert (verdict.decision, verdict.n, verdict.more_replicates) == ("undecided", 0, 3)


def test_too_few_pairs_leave_it_undecided_with_the_number_missing() -> None:
    verdict = verdict_on(CHALLENGER, replicates=10)
    assert (verdict.decision, verdict.more_replicates) == ("undecided", 7)
    assert verdict.reasons[0].endswith("can be used, and the policy asks for 10: run 7 more.")


def test_a_seed_that_stands_twice_is_refused_with_its_runs() -> None:
    twice = evidence("new", CHALLENGER, seeds=[0, 1, 1])
    why = "seed 1 is there twice, in the runs new-1, new-1: one replicate would count as"
    with pytest.raises(DataError, match=why):
        verdict_on(twice)


def test_recorded_replicates_of_the_champion_are_compared_unpaired_and_the_reason_says_so() -> None:
    verdict = verdict_on(NOISY[0] - 0.3, NOISY[1], is_paired=False)
    assert (verdict.test, verdict.is_paired) == ("Welch", False)
    assert verdict.p_value == pytest.approx(_welch_by_scipy(NOISY[0] - 0.3, NOISY[1]), rel=1e-9)
    assert any(text.startswith("Nothing is paired: the champion's recorded replicates") for text in verdict.reasons)


def test_a_champion_with_too_few_recorded_replicates_leaves_it_undecided() -> None:
    verdict = verdict_on(NOISY[0] - 0.3, NOISY[1][:4], is_paired=False, replicates=9)
    assert (verdict.decision, verdict.more_replicates) == ("undecided", 5)
    assert "4\N{NO-BREAK SPACE}recorded replicates of the champion (version 3) can be used" in verdict.reasons[0]


class TestWithoutSpread:
    """All differences are equal: Student's t is undefined."""

    def test_no_improvement_at_all_is_kept(self) -> None:
        assert verdict_on(CHAMPION).decision == "kept"

    def test_an_improvement_stays_undecided_and_the_reason_names_the_way_out(self) -> None:
        verdict = verdict_on((0.5, 1.5, 2.5))
        assert (verdict.decision, verdict.p_value, verdict.more_replicates) == ("undecided", None, None)
        assert "test: permutation needs no spread" in verdict.reasons[1]

    def test_a_permutation_test_decides(self) -> None:
        # By hand: of 2^5 ways to choose signs one is as extreme: p = 1 / 32.
        verdict = verdict_on((0.5, 1.5, 2.5, 3.5, 4.5), (1.0, 2.0, 3.0, 4.0, 5.0), test="permutation", replicates=5)
        assert (verdict.decision, verdict.p_value) == ("promoted", 1 / 32)


def _all_kinds_of_verdicts() -> list[Verdict]:
    policies: list[Policy] = [policy(), policy(smallest_improvement=0.1), policy(kind="non_inferiority", margin=0.1)]
    policies += [policy(test="welch"), policy(test="permutation", replicates=5), policy(constraints=["a < 1"])]
    models = [
        evidence("new", values, outcomes=outcomes, data_digest=digest)
        for values in (CHALLENGER, CHAMPION, tuple(NOISY[0]), (1.0, math.nan, 2.0))
        for outcomes in ({}, {1: "diverged"}, {1: "failed"})
        for digest in ("data", "other")
    ]
    champions = [evidence("old", CHAMPION, version="3"), evidence("old", tuple(NOISY[1])), None]
    return [
        verdict
        for one in policies
        for champion in champions
        for is_paired in (True, False)
        for group in ([model] for model in models)
        for verdict in decide(group, champion, one, is_paired=is_paired)
    ]


def test_every_reason_is_a_sentence_and_the_first_names_the_decision() -> None:
    verdicts = _all_kinds_of_verdicts()
    assert {one.decision for one in verdicts} == {"promoted", "kept", "undecided"}
    assert all(one.reasons[0].startswith(f"{one.decision.capitalize()}: ") for one in verdicts)
    texts = {text for one in verdicts for text in one.reasons}
    assert [text for text in texts if not (text[0].isupper() or text[0].isdigit()) or not text.endswith(".")] == []
    words = {word.strip(".,;:()[]") for text in texts for word in text.split()}
    assert words & {"nan", "inf", "None", "-inf", "–"} == set()
