"""Conditions compared over tasks: what their number is, who is left out, and what is said of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.errors import UserError
from rothamsted.publish.description import description
from rothamsted.publish.record import tables_of
from tests.analysis.task_data import on_tasks

# Of each method on each task two seeds; b is best on both tasks.
SCORES = {
    "a": {"small": [0.1, 0.3], "large": [100.0, 140.0]},
    "b": {"small": [0.5, 0.7], "large": [300.0, 320.0]},
    "c": {"small": [0.3, 0.5], "large": [100.0, 100.0]},
}


def texts(marks: tuple[str, ...]) -> str:
    return " ".join(marks).replace("\N{NO-BREAK SPACE}", " ")


def test_a_condition_has_the_mean_over_tasks_of_its_scores_seed_by_seed() -> None:
    found = analyze(on_tasks(SCORES))
    # By hand: means of small 0.2, 0.6, 0.4 give the scale 0.2 to 0.6, of large 120, 310, 100 the scale 100 to 310.
    expected = {0: (0.2 - 0.2) / 0.4 / 2 + (120 - 100) / 210 / 2, 2: 1.0, 4: 0.25}
    means = {one.condition: one.statistics["mean"] for one in found.objective}
    assert means == pytest.approx(expected)
    first = next(r for r in found.dataset.replicates if r.condition == 2 and r.seed == "0")
    assert first.objective == pytest.approx(((0.5 - 0.2) / 0.4 + (300 - 100) / 210) / 2)
    assert found.ranking == (2, 4, 0)
    assert found.dataset.objective.metric == "normalised loss over 2 tasks"


def test_cells_are_no_rivals() -> None:
    # Six cells, three conditions: verdicts, factors and the winner are of conditions.
    found = analyze(on_tasks(SCORES))
    assert found.best is not None
    assert sorted(found.best.verdicts) == [0, 2, 4]
    assert [factor.name for factor in found.dataset.factors] == ["method"]


def test_where_less_is_better_the_scale_turns_round() -> None:
    turned = {m: {t: [-v for v in values] for t, values in of_one.items()} for m, of_one in SCORES.items()}
    upward, downward = analyze(on_tasks(SCORES)), analyze(on_tasks(turned, direction="minimize"))
    assert downward.ranking == upward.ranking
    assert downward.dataset.objective.direction == "maximize"
    for one, other in zip(upward.objective, downward.objective, strict=True):
        assert one.statistics["mean"] == pytest.approx(other.statistics["mean"])
    assert upward.tasks is not None
    assert downward.tasks is not None
    assert downward.tasks.ranks is not None
    assert upward.tasks.ranks is not None
    assert downward.tasks.ranks.mean_ranks == upward.tasks.ranks.mean_ranks
    assert [one.probability.estimate for one in downward.tasks.improvements] == pytest.approx(
        [one.probability.estimate for one in upward.tasks.improvements]
    )


def test_scores_may_stay_as_they_are_or_have_ends_that_are_given() -> None:
    plain = analyze(on_tasks(SCORES, scale="none", direction="minimize"))
    assert plain.dataset.objective.direction == "minimize"
    assert {one.condition: one.statistics["mean"] for one in plain.objective}[2] == pytest.approx((0.6 + 310) / 2)
    given = analyze(on_tasks(SCORES, scale={"small": [0, 1], "large": [0, 1000]}))
    assert {one.condition: one.statistics["mean"] for one in given.objective}[2] == pytest.approx((0.6 + 0.31) / 2)
    assert "on the given scale" in texts(given.marks)


def test_a_condition_that_lacks_a_task_is_left_out_and_named() -> None:
    scores = {**SCORES, "d": {"small": [0.9, 0.9]}}
    found = analyze(on_tasks(scores))
    assert found.ranking == (2, 4, 0)
    assert "condition 6 (method=d) has no score on large" in texts(found.marks)
    assert found.tasks is not None
    assert found.tasks.compared == (0, 2, 4)
    assert found.tasks.best_of_each == {"small": 6, "large": 2}


def test_a_condition_that_diverged_on_a_task_is_left_out_and_named() -> None:
    found = analyze(on_tasks(SCORES, outcomes={("b", "large", 1): "diverged"}))
    assert set(found.ranking) == {0, 4}
    assert "condition 2 (method=b) diverged on large" in texts(found.marks)
    assert next(one for one in found.objective if one.condition == 2).counts["diverged"] == 1


def test_a_lost_seed_is_left_out_of_the_mean_and_said() -> None:
    three = {m: {t: [*values, values[0]] for t, values in of_one.items()} for m, of_one in SCORES.items()}
    found = analyze(on_tasks(three, outcomes={("b", "large", 2): "failed"}))
    assert next(one for one in found.objective if one.condition == 2).n == 2
    assert "Condition 2 has unequal numbers of replicates" in texts(found.marks)


def test_a_task_on_which_nobody_differs_is_in_no_mean() -> None:
    scores = {m: {**of_one, "same": [1.0, 1.0]} for m, of_one in SCORES.items()}
    found = analyze(on_tasks(scores))
    assert "No condition is better than another on same" in texts(found.marks)
    assert {one.condition: one.statistics["mean"] for one in found.objective}[3] == pytest.approx(1.0)
    assert found.tasks is not None
    assert found.tasks.scored == ("small", "large")
    assert found.tasks.ranks is not None
    assert found.tasks.ranks.n == 3


def test_one_condition_has_no_scale_and_that_is_said() -> None:
    found = analyze(on_tasks({"a": SCORES["a"]}))
    assert found.ranking == ()
    assert "Their scores have no common scale" in texts(found.marks)
    assert analyze(on_tasks({"a": SCORES["a"]}, scale="none")).ranking == (0,)


@pytest.mark.parametrize(
    ("scores", "scale", "said"),
    [
        ({"a": {"small": [1.0]}, "b": {"small": [2.0]}}, "range", r"there is only one task \(small\)"),
        (SCORES, {"small": [0, 1]}, "scale: no ends for large"),
        (SCORES, {"small": [0, 1], "large": [0, 1], "huge": [0, 1]}, "huge is not a value of data"),
    ],
)
def test_what_cannot_be_compared_over_tasks_is_one_line(scores: dict, scale: object, said: str) -> None:
    with pytest.raises(UserError, match=said):
        analyze(on_tasks(scores, scale=scale))


def test_the_tables_hold_cells_aggregates_ranks_profiles_and_the_runs_as_they_were() -> None:
    found = {table.name: table for table in tables_of(analyze(on_tasks(SCORES)))}
    cells = [dict(zip(found["tasks"].columns, row, strict=True)) for row in found["tasks"].rows]
    assert [(one["condition"], one["task"], one["mean"], one["rank"]) for one in cells[:2]] == [
        (0, "small", pytest.approx(0.2), 3.0),
        (0, "large", pytest.approx(120.0), 2.0),
    ]
    assert len(found["replicates"].rows) == 12
    assert "data" in found["replicates"].columns
    assert {"task_aggregates", "task_ranks", "task_improvement", "task_profiles"} <= set(found)


def test_the_description_names_the_best_of_each_task() -> None:
    text = description(analyze(on_tasks(SCORES))).replace("\N{NO-BREAK SPACE}", " ")
    assert "3 conditions; replicates: 12 finished." in text
    assert "The best mean of each task: method=b (condition 2) on small and large." in text


def test_unknown_seeds_are_put_together_in_the_order_of_the_runs() -> None:
    from dataclasses import replace

    data = on_tasks(SCORES)
    found = analyze(replace(data, replicates=tuple(replace(r, seed="") for r in data.replicates)))
    assert found.ranking == (2, 4, 0)
    assert {one.n for one in found.objective} == {2}


def test_the_mean_of_a_task_is_the_mean_of_its_runs_whatever_the_spread_of_seeds() -> None:
    # Seeds that all conditions share shift every score of a seed: pairing takes that out of the verdicts.
    rng = np.random.default_rng(5)
    seeds = 5 * rng.standard_normal(6)
    scores = {
        m: {t: (size * (i + seeds + 0.1 * rng.standard_normal(6))).tolist() for t, size in (("x", 1.0), ("y", 50.0))}
        for i, m in enumerate("abcd")
    }
    found = analyze(on_tasks(scores))
    assert found.best is not None
    assert found.best.members == (6,)
    assert all(math.isfinite(one.high) for one in found.best.verdicts.values())
