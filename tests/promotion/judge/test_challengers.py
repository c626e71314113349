"""Several challengers against one champion: one family, and one promotion at most."""

from __future__ import annotations

import numpy as np
import pytest

from rothamsted.promotion.judge.verdict import decide
from rothamsted.promotion.types import Evidence, Verdict
from tests.promotion.contestants import evidence, policy

RNG = np.random.default_rng(1979)
CHAMPION = evidence("old", RNG.normal(1.0, 0.1, 10), version="3")


def _with_p_values(*t_values: float) -> list[Evidence]:
    """Challengers whose paired differences have these t values exactly: a fixed pattern of sd 1, moved."""
    pattern = np.array([-1.0, 1.0] * 5)
    pattern /= pattern.std(ddof=1)
    champion = np.array([run.objective for run in CHAMPION.runs])
    return [evidence(f"new{k}", champion - 0.01 * (pattern + t / np.sqrt(10))) for k, t in enumerate(t_values)]


def _verdicts(challengers: list[Evidence], **changed: object) -> list[Verdict]:
    return decide(challengers, CHAMPION, policy(replicates=10, **changed), is_paired=True)


# One-sided p of Student's t with 9 degrees of freedom: t 2.262157 -> 0.025, 1.833113 -> 0.05, 2.821438 -> 0.01.
T_025, T_05, T_01 = 2.262157, 1.833113, 2.821438


def test_p_values_are_corrected_by_holm() -> None:
    # By hand, Holm (1979): 0.01 * 3, then max(0.03, 0.025 * 2), then max(0.05, 0.05 * 1).
    found = [one.p_value for one in _verdicts(_with_p_values(T_025, T_01, T_05))]
    assert found == pytest.approx([0.05, 0.03, 0.05], abs=1e-6)


def test_p_values_are_corrected_by_bonferroni_where_the_policy_says_so() -> None:
    found = [one.p_value for one in _verdicts(_with_p_values(T_025, T_01, T_05), correction="bonferroni")]
    assert found == pytest.approx([0.075, 0.03, 0.15], abs=1e-6)


def test_what_passes_alone_may_not_pass_in_a_family() -> None:
    alone = _verdicts(_with_p_values(1.9))
    among = _verdicts(_with_p_values(1.9, 0.0, 0.0))
    assert (alone[0].decision, among[0].decision) == ("promoted", "undecided")


def test_the_intervals_limits_share_the_error_rate_of_the_family() -> None:
    # By hand: 1 - 2 * 0.05 / 4.
    found = _verdicts(_with_p_values(5.0, 0.0, 0.0, 0.0))[0].difference
    assert found is not None
    assert found.level == pytest.approx(0.975)


def test_of_several_that_pass_the_best_mean_is_promoted_and_the_others_say_why_not() -> None:
    verdicts = _verdicts(_with_p_values(8.0, 12.0, 9.0))
    assert [one.decision for one in verdicts] == ["kept", "promoted", "kept"]
    assert verdicts[0].reasons[0].startswith("Kept: it passed, and so did 'new1', which is promoted")
    assert any(text.startswith("2\N{NO-BREAK SPACE}other challengers passed too") for text in verdicts[1].reasons)


def test_of_equals_the_first_is_promoted() -> None:
    verdicts = _verdicts(_with_p_values(8.0, 8.0))
    assert [one.decision for one in verdicts] == ["promoted", "kept"]


def test_a_challenger_that_falls_out_by_its_results_still_counts_in_the_family() -> None:
    # Else a constraint that luck helps to meet would leave a family of the lucky ones.
    good, bad = _with_p_values(1.9, 0.0)
    metrics = {"a": [0.0] * 10}
    passing = evidence("good", [run.objective for run in good.runs], metrics=metrics)
    alone = _verdicts([passing], constraints=["a < 1"])
    among = _verdicts([passing, bad], constraints=["a < 1"])
    assert [one.decision for one in (*alone, *among)] == ["promoted", "undecided", "kept"]


def test_a_challenger_whose_test_is_undefined_still_counts_in_the_family() -> None:
    same = evidence("same", [run.objective for run in CHAMPION.runs])
    verdicts = _verdicts([*_with_p_values(1.9), same])
    assert [(one.decision, one.p_value is None) for one in verdicts] == [("undecided", False), ("kept", True)]


def test_a_challenger_that_was_never_comparable_is_not_of_the_family() -> None:
    good, other = _with_p_values(1.9, 0.0)
    other = evidence("other", [run.objective for run in other.runs], data_digest="other")
    assert [one.decision for one in _verdicts([good, other])] == ["promoted", "kept"]


def test_no_challengers_have_no_verdicts() -> None:
    assert _verdicts([]) == []
