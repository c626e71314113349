"""What keeps a challenger from promotion whatever its comparison says, and what is not compared at all."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from rothamsted.errors import SpecError
from rothamsted.metric import Metric
from rothamsted.promotion.judge.verdict import decide
from rothamsted.statistics import mean_interval
from rothamsted.wording import estimate
from tests.promotion.contestants import CHALLENGER, CHAMPION, P_VALUE, evidence, policy, verdict_on


class TestWithoutAChampion:
    """Nothing is compared: the challenger has to meet the policy by itself."""

    def test_a_challenger_that_meets_the_policy_is_promoted_and_the_reason_says_that_nothing_was_compared(self) -> None:
        verdict = verdict_on(CHALLENGER, None)
        assert verdict.decision == "promoted"
        assert verdict.reasons[0].startswith("Promoted: there is no champion to compare with")

    def test_the_interval_of_the_first_champion_is_the_one_that_its_sweep_shows(self) -> None:
        # Authority: `mean_interval` with the declared range, as every table of the sweep has it; plain t ends below 0.
        values, loss = (0.01, 0.02, 0.3), Metric(direction="minimize", low=0)
        shown = mean_interval(values, metric=loss)
        assert shown is not None
        written = estimate(shown.estimate, shown.low, shown.high)
        verdict = verdict_on(replace(evidence("new", values), metrics={"val_loss": loss}), None)
        assert f"of mean {written} (95" in verdict.reasons[0]
        assert (verdict.compared_with, verdict.difference, verdict.p_value, verdict.n) == ("", None, None, 3)

    def test_too_few_replicates_leave_it_undecided_with_the_number_missing(self) -> None:
        verdict = verdict_on(CHALLENGER, None, replicates=5)
        assert (verdict.decision, verdict.more_replicates) == ("undecided", 2)

    def test_an_unmet_constraint_keeps_it_out(self) -> None:
        verdict = verdict_on(CHALLENGER, None, constraints=["parameters < 5e6"])
        assert (verdict.decision, verdict.constraints[0].is_met) == ("kept", False)
        assert verdict.reasons[0].startswith("Kept: the constraint parameters < 5e6 is not met: ")

    def test_the_best_mean_of_several_is_promoted(self) -> None:
        models = [evidence("a", (2.0, 2.0, 2.5)), evidence("b", (1.0, 1.0, 1.5)), evidence("c", (3.0, 3.0, 3.5))]
        verdicts = decide(models, None, policy(), is_paired=True)
        assert [one.decision for one in verdicts] == ["kept", "promoted", "kept"]


def test_a_diverged_replicate_keeps_a_challenger_out_however_good_the_others_are() -> None:
    verdict = verdict_on(evidence("new", (*CHALLENGER, math.nan), outcomes={3: "diverged"}), (*CHAMPION, 4.0))
    assert verdict.decision == "kept"
    assert verdict.reasons[0].startswith("Kept: 1 of the challenger's 4\N{NO-BREAK SPACE}replicates diverged")


@pytest.mark.parametrize(("most_failed", "decision"), [(0, "undecided"), (1, "promoted")])
def test_failed_replicates_are_missing_up_to_what_the_policy_takes(most_failed: int, decision: str) -> None:
    model = evidence("new", (*CHALLENGER, math.nan), outcomes={3: "failed"})
    assert verdict_on(model, (*CHAMPION, 4.0), most_failed=most_failed).decision == decision


def test_a_finished_replicate_without_a_finite_objective_counts_as_failed() -> None:
    assert verdict_on((*CHALLENGER, math.nan), (*CHAMPION, 4.0)).decision == "undecided"


def test_a_champion_that_diverged_is_compared_without_those_pairs_and_the_reason_says_so() -> None:
    champion = evidence("old", (*CHAMPION, math.nan), outcomes={3: "diverged"}, version="3")
    verdict = verdict_on((*CHALLENGER, 1.0), champion)
    assert verdict.p_value == pytest.approx(P_VALUE, abs=1e-6)
    assert any("replicates diverged; the comparison leaves them out" in text for text in verdict.reasons)


def test_an_unmet_constraint_keeps_a_better_challenger_out_and_its_comparison_on_record() -> None:
    verdict = verdict_on(CHALLENGER, constraints=["parameters < 5e6"])
    assert (verdict.decision, verdict.p_value) == ("kept", pytest.approx(P_VALUE, abs=1e-6))


def test_constraints_that_are_met_are_on_record() -> None:
    model = evidence("new", CHALLENGER, metrics={"parameters": [10.0, 10.0, 10.0]})
    verdict = verdict_on(model, constraints=["parameters < 5e6"])
    assert (verdict.decision, [one.is_met for one in verdict.constraints]) == ("promoted", [True])


class TestIncomparable:
    """Models that are not compared at all."""

    def test_other_data_is_refused(self) -> None:
        verdict = verdict_on(evidence("new", CHALLENGER, data_digest="other"))
        assert (verdict.decision, verdict.p_value) == ("kept", None)
        assert "(digest other against data)" in verdict.reasons[0]

    def test_unknown_data_is_other_data(self) -> None:
        assert verdict_on(evidence("new", CHALLENGER, data_digest="")).decision == "kept"

    def test_other_data_is_compared_where_the_policy_allows_it(self) -> None:
        assert verdict_on(evidence("new", CHALLENGER, data_digest="other"), same_data="none").decision == "promoted"

    def test_the_champion_itself_is_no_challenger(self) -> None:
        verdict = verdict_on(evidence("new", CHALLENGER, config={"model": "old"}))
        assert (verdict.decision, verdict.p_value) == ("kept", None)
        assert verdict.reasons[0].startswith("Kept: the challenger is the champion (version 3): the same condition")

    def test_the_same_configuration_of_other_code_is_a_challenger(self) -> None:
        assert (
            verdict_on(evidence("new", CHALLENGER, config={"model": "old"}, code_digest="new")).decision == "promoted"
        )

    def test_the_same_configuration_and_code_on_new_data_is_a_challenger(self) -> None:
        model = evidence("new", CHALLENGER, config={"model": "old"}, data_digest="newer")
        assert verdict_on(model, same_data="none").decision == "promoted"

    def test_unknown_code_is_never_the_same(self) -> None:
        model = evidence("new", CHALLENGER, config={"model": "old"}, code_digest="")
        champion = evidence("old", CHAMPION, code_digest="")
        assert verdict_on(model, champion).decision == "promoted"


MISFITS = {
    "metric of a challenger": (
        {"metric": "val_accuracy"},
        {},
        "objective.metric is val_loss, but .* is of val_accuracy",
    ),
    "study of a challenger": (
        {"study": "other"},
        {},
        "study is toy, but .* is of study other; give the policy of that",
    ),
    "sweep of a challenger": ({}, {"sweep": "quickstart"}, "sweep is quickstart, but .* comes from sweep 'toy-sweep'"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_policy_for_something_else_is_refused(name: str) -> None:
    fields, keys, said = MISFITS[name]
    with pytest.raises(SpecError, match=f"^policy of model 'toy': {said}"):
        verdict_on(evidence("new", CHALLENGER, **fields), **keys)


def test_a_champion_may_come_from_another_sweep_than_the_policys() -> None:
    champion = evidence("old", CHAMPION, sweep="earlier", version="3")
    assert verdict_on(CHALLENGER, champion, sweep="toy-sweep").decision == "promoted"


def test_a_champion_measured_by_another_metric_is_refused() -> None:
    with pytest.raises(SpecError, match="is of val_accuracy; give a policy for that metric"):
        verdict_on(CHALLENGER, evidence("old", CHAMPION, metric="val_accuracy"))
