"""Constraints: what they say, and what the replicates say of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rothamsted.promotion.judge.limits import STATISTICS, PolicyConstraint, check_constraints, parse_constraint
from rothamsted.promotion.types import ConstraintResult
from tests.promotion.contestants import evidence


def _parts(text: str) -> tuple[str, str, str, float]:
    found = parse_constraint(text)
    return found.metric, found.statistic, found.sign, found.bound


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("parameters < 5e6", ("parameters", "mean", "<", 5e6)),
        ("predict_ms<20", ("predict_ms", "mean", "<", 20.0)),
        ("val_accuracy/ci_low > 0.9", ("val_accuracy", "ci_low", ">", 0.9)),
        ("val_loss/max <= .5", ("val_loss", "max", "<=", 0.5)),
        ("  score/sd >= -1.5E-3 ", ("score", "sd", ">=", -1.5e-3)),
        ("eval/accuracy > 0.9", ("eval/accuracy", "mean", ">", 0.9)),  # a metric with a slash of its own
        ("eval/accuracy/min > 0.9", ("eval/accuracy", "min", ">", 0.9)),
        ("eval/mean/mean > 0.9", ("eval/mean", "mean", ">", 0.9)),
    ],
)
def test_a_constraint_is_a_metric_a_statistic_a_sign_and_a_number(
    text: str, parts: tuple[str, str, str, float]
) -> None:
    assert _parts(text) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "parameters",
        "parameters 5",
        "parameters == 5",
        "5 < parameters",
        "1 < a < 5",
        "a < b",
        "a < nan",
        "a < inf",
        "a < 1e",
        "a < 0x10",
        "a < 1_000",
        "a << 5",
        "a < 5; b < 6",
        "a < 5 and b < 6",
        "__import__('os') < 5",
        "/ < 5",
        "a < ٣",
        "naïve < 5",
    ],
)
def test_what_is_no_constraint_is_refused_with_the_form_of_one(text: str) -> None:
    with pytest.raises(ValueError, match="is not a constraint; write METRIC or METRIC/STATISTIC"):
        parse_constraint(text)


def test_a_bound_beyond_all_floats_is_refused() -> None:
    with pytest.raises(ValueError, match="1e999 is too large for a float"):
        parse_constraint("a < 1e999")


@pytest.mark.parametrize("name", ["val_accuracy/ci_lo", "val_accuracy/Mean", "val_accuracy/medain"])
def test_a_statistic_gone_wrong_is_refused_with_the_right_one(name: str) -> None:
    with pytest.raises(ValueError, match=r"is not a statistic; did you mean (ci_low|mean|median)\?"):
        parse_constraint(f"{name} > 0.9")


@given(
    metric=st.from_regex(r"[a-z_][a-z0-9_.]{0,20}", fullmatch=True),
    statistic=st.sampled_from(STATISTICS),
    sign=st.sampled_from(["<", "<=", ">", ">="]),
    bound=st.floats(allow_nan=False, allow_infinity=False),
)
def test_every_constraint_that_is_written_is_read_back(metric: str, statistic: str, sign: str, bound: float) -> None:
    text = f"{metric}/{statistic} {sign} {bound!r}"
    assert parse_constraint(text) == PolicyConstraint(
        text=text, metric=metric, statistic=statistic, sign=sign, bound=bound
    )


def _result(
    text: str, values: list[float], *, level: float = 0.95, outcomes: dict[int, str] | None = None
) -> ConstraintResult:
    model = evidence("m", [0.0] * len(values), metrics={"m": values}, outcomes=outcomes)
    return check_constraints(model, [text], level=level)[0]


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        # By hand: mean 2, sd 1, n 3; t(0.975, df 2) = 4.302653; half-width 4.302653 / sqrt(3) = 2.484138.
        ("mean", 2.0),
        ("ci_low", -0.484138),
        ("ci_high", 4.484138),
        ("min", 1.0),
        ("max", 3.0),
        ("median", 2.0),
        ("sd", 1.0),
    ],
)
def test_a_statistic_is_that_of_the_finished_replicates(statistic: str, value: float) -> None:
    assert _result(f"m/{statistic} < 9", [1.0, 2.0, 3.0]).value == pytest.approx(value, abs=1e-6)


def test_every_statistic_of_the_grammar_can_be_computed() -> None:
    assert all(math.isfinite(_result(f"m/{name} < 9", [1.0, 2.0, 3.0]).value) for name in STATISTICS)


@pytest.mark.parametrize(("sign", "is_met"), [("<", False), ("<=", True), (">", False), (">=", True)])
def test_a_bound_that_is_just_reached_counts_as_its_sign_says(sign: str, is_met: bool) -> None:
    assert _result(f"m {sign} 2", [1.0, 2.0, 3.0]).is_met is is_met


def test_the_interval_is_at_the_level_of_the_policy() -> None:
    # By hand: t(0.75, df 2) = 0.816497, so that a 50 % interval starts at 2 - 0.816497 / sqrt(3) = 1.528596.
    assert _result("m/ci_low > 1.5", [1.0, 2.0, 3.0], level=0.5).value == pytest.approx(1.528596, abs=1e-6)


def test_the_reason_has_the_value_and_the_number_of_replicates() -> None:
    assert _result("m < 9", [1.0, 2.0, 3.5]).reason == "mean 2.16667 (n = 3)"


def test_a_missing_metric_is_not_met_and_the_reason_says_what_there_is() -> None:
    model = evidence("m", [0.0], metrics={"val_accuracy": [1.0], "val_loss": [0.1]})
    result = check_constraints(model, ["val_acuracy > 0.9"], level=0.95)[0]
    assert not result.is_met
    assert math.isnan(result.value)
    assert result.reason.endswith("did you mean val_accuracy? known: val_accuracy and val_loss")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_replicate_without_a_finite_value_leaves_a_constraint_unmet(bad: float) -> None:
    result = _result("m < 9", [1.0, bad, 3.0])
    assert not result.is_met
    assert result.reason == "1 of 3\N{NO-BREAK SPACE}replicates has no finite m"


def test_a_metric_that_is_nowhere_finite_is_not_met() -> None:
    assert _result("m < 9", [math.nan, math.inf]).reason == "no replicate has a finite m"


def test_replicates_that_did_not_finish_do_not_count() -> None:
    assert _result("m/max < 5", [1.0, 9.0, 3.0], outcomes={1: "failed"}).value == 3.0


def test_without_finished_replicates_nothing_is_met() -> None:
    assert _result("m < 9", [1.0], outcomes={0: "failed"}).reason == "no finished replicate"


def test_one_replicate_meets_no_constraint_on_an_interval() -> None:
    result = _result("m/ci_low > 0", [1.0])
    assert (result.is_met, result.reason) == (False, "one replicate has no ci_low")


def test_results_stand_in_the_order_of_the_policy() -> None:
    model = evidence("m", [0.0, 0.0], metrics={"a": [1.0, 1.0], "b": [2.0, 2.0]})
    results = check_constraints(model, ["b < 1", "a < 2"], level=0.95)
    assert [(one.text, one.is_met) for one in results] == [("b < 1", False), ("a < 2", True)]
