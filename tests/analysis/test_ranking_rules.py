"""Pruned, infeasible and several-objective conditions: how they are ranked, and what is said of those left out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.ranking import pareto_front, ranked
from rothamsted.statistics.adjusted import adjusted_means
from rothamsted.statistics.pareto import pareto_set
from tests.analysis.runs import dataset

TWO = {0: [1.0, 1.1], 1: [2.0, 2.1], 2: [3.0, 3.1]}
SPEED = {0: [5.0, 5.1], 1: [4.0, 4.2], 2: [4.5, 4.6]}  # 2 is beaten by 1 in both


def several(**more: Any) -> Any:
    return dataset(TWO, others={"seconds": ("minimize", SPEED)}, **more)


@pytest.mark.parametrize("seed", range(25))
def test_the_ranking_is_that_of_the_rules_one_by_one(seed: int) -> None:
    # Authority: the rules in plain loops over random outcomes: no mean where one diverged or the condition was pruned,
    # no place where a constraint is broken, those that a race dropped last, the Pareto set first, then by the mean,
    # adjusted for missing seeds among those that are alike (tests/statistics/test_adjusted.py).
    rng = np.random.default_rng(seed)
    n, n_seeds, is_several = 12, 3, bool(seed % 2)
    first = {k: rng.integers(0, 6, n_seeds).astype(float).tolist() for k in range(n)}  # ties occur
    second = {k: rng.integers(0, 6, n_seeds).astype(float).tolist() for k in range(n)}
    drawn = ["finished"] * 8 + ["failed", "diverged"]
    outcomes = {(k, s): str(rng.choice(drawn)) for k in range(n) for s in range(n_seeds)}
    ended = {place: outcome for place, outcome in outcomes.items() if outcome != "finished"}
    pruned = {k: "at step 3" for k in range(n) if rng.random() < 0.2}
    violations = {k: (("c < 1", float(rng.normal())),) for k in range(n)}
    dropped = {k: 2 for k in range(n) if not is_several and rng.random() < 0.2}
    found = dataset(
        first,
        outcomes=ended,
        others={"second": ("maximize", second)} if is_several else None,
        pruned=pruned,
        violations=violations,
        dropped_after=dropped,
    )

    def mean(k: int, values: dict[int, list[float]]) -> float:
        kept = [values[k][s] for s in range(n_seeds) if outcomes[k, s] == "finished"]
        is_out = "diverged" in [outcomes[k, s] for s in range(n_seeds)] or k in pruned
        if is_out or not kept:
            return math.nan
        like = [j for j in range(n) if has_mean(j) and (j in dropped, is_broken(j)) == (k in dropped, is_broken(k))]
        table = [[values[j][s] if outcomes[j, s] == "finished" else math.nan for s in range(n_seeds)] for j in like]
        return float(adjusted_means(np.array(table)).mean[like.index(k)])

    def has_mean(k: int) -> bool:
        ended_so = [outcomes[k, s] for s in range(n_seeds)]
        return "finished" in ended_so and "diverged" not in ended_so and k not in pruned

    def is_broken(k: int) -> bool:
        return violations[k][0][1] > 0

    def is_beaten(k: int) -> bool:
        own = (mean(k, first), -mean(k, second))
        theirs = [(mean(other, first), -mean(other, second)) for other in placed]
        return is_several and any(t != own and t[0] <= own[0] and t[1] <= own[1] for t in theirs)

    placed = [k for k in range(n) if math.isfinite(mean(k, first)) and violations[k][0][1] <= 0]
    expected = sorted(placed, key=lambda k: (k in dropped, is_beaten(k), mean(k, first), k))
    assert ranked(found) == expected
    assert pareto_front(found, ranked(found)) == {k for k in placed if not is_beaten(k)}


def test_a_pruned_condition_has_no_interval_no_comparison_and_no_place_in_the_best_set() -> None:
    # 0 has the best values of all, and was pruned after two of its replicates.
    found = analyze(dataset({0: [0.1, 0.2, 9.0], **_three()}, outcomes={(0, 2): "pruned"}, pruned={0: "at step 5"}))
    assert found.ranking == (1, 2)
    own = found.objective[0]
    assert own.interval is None
    assert math.isnan(own.statistics["mean"])
    assert own.n == 0
    assert own.counts == {"finished": 2, "pruned": 1}
    assert found.best is not None
    assert 0 not in found.best.members
    assert set(found.best.verdicts) == {1, 2}
    assert all(summary[0].interval is None for summary in found.metrics.values())
    assert "1 of 3 conditions was pruned (stopped before the end) and is not ranked." in found.marks


def test_an_infeasible_condition_says_which_constraint_it_breaks_and_by_how_much() -> None:
    violations = {0: (("seconds < 60", 2.5), ("size <= 3", -1.0)), 1: (("seconds < 60", -1.0),)}
    found = analyze(dataset(_three(), violations={k + 1: v for k, v in violations.items()}))
    assert found.ranking == (2,)
    assert found.objective[0].note == "breaks the constraint seconds < 60 by 2.5: not ranked"
    assert found.objective[0].interval is not None  # it was measured to the end
    assert "1 of 2 conditions breaks the constraint seconds < 60 and is not ranked." in found.marks


def test_the_pareto_set_comes_first_and_each_objective_has_its_intervals() -> None:
    found = analyze(several())
    assert found.ranking == (0, 1, 2)
    assert found.pareto is not None
    assert found.pareto.members == (0, 1)
    assert found.others[0][1].statistics["mean"] == pytest.approx(4.1)  # by hand: (4.0 + 4.2) / 2
    assert found.others[0][1].interval is not None
    assert found.others[0][1].interval.n == 2


def test_frequencies_are_those_of_resampling_the_common_seeds_by_brute_force() -> None:
    # Authority: all 27 ways to draw three of three seeds, stretched about the means, counted one by one.
    rng = np.random.default_rng(2)
    first, second = rng.normal(size=(2, 4, 3))
    made = dataset(
        {k: first[k].tolist() for k in range(4)},
        others={"second": ("maximize", {k: second[k].tolist() for k in range(4)})},
    )
    costs = np.stack([first, -second], axis=2)  # (condition, seed, objective)
    centre, counts = costs.mean(axis=1), np.zeros(4)
    for drawn in np.ndindex(3, 3, 3):
        counts += pareto_set(centre + math.sqrt(3 / 2) * (costs[:, list(drawn)].mean(axis=1) - centre))
    found = analyze(made).pareto
    assert found is not None
    assert "seeds, common to all conditions" in found.method
    assert [found.frequency[k] for k in range(4)] == pytest.approx((counts / 27).tolist(), abs=0.05)


def test_conditions_are_resampled_each_by_itself_where_a_seed_is_missing() -> None:
    rows = {k: [*row, row[0] + 0.05] for k, row in TWO.items()}
    speeds = {k: [*row, row[0]] for k, row in SPEED.items()}
    found = analyze(dataset(rows, others={"seconds": ("minimize", speeds)}, outcomes={(0, 1): "failed"})).pareto
    assert found is not None
    assert "each condition by itself" in found.method


def test_one_replicate_says_nothing_on_how_sure_the_set_is() -> None:
    found = analyze(dataset({0: [1.0], 1: [2.0]}, others={"seconds": ("minimize", {0: [2.0], 1: [1.0]})}))
    assert found.pareto is not None
    assert found.pareto.members == (0, 1)
    assert not found.pareto.frequency
    assert found.gaps["pareto"].startswith("no condition has two replicates with every objective")


def test_a_condition_that_another_beats_may_be_in_many_resamples() -> None:
    # By eye: 1 is beaten by 0 by a tenth of what replicates vary.
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(2, 2, 6))
    noise -= noise.mean(axis=2, keepdims=True)
    first = {0: noise[0, 0].tolist(), 1: (0.1 + noise[0, 1]).tolist()}
    second = {0: noise[1, 0].tolist(), 1: (0.1 + noise[1, 1]).tolist()}
    found = analyze(dataset(first, others={"second": ("minimize", second)}, has_seeds=False)).pareto
    assert found is not None
    assert found.members == (0,)
    assert 0.3 < found.frequency[1] < 0.9


def _three() -> dict[int, list[float]]:
    return {1: [1.0, 1.1, 1.3], 2: [2.0, 2.2, 2.1]}


def test_a_condition_that_failed_on_the_hard_seed_is_not_ranked_first_for_that() -> None:
    # 1 is worse by 0.5 at both seeds that it has; the mean of its own values is the lowest of all.
    found = analyze(dataset({0: [1.0, 1.2, 9.0], 1: [1.5, 1.7, 0.0], 2: [1.6, 1.9, 9.6]}, outcomes={(1, 2): "failed"}))
    assert found.ranking == (0, 1, 2)
    own = found.objective[1]
    assert (own.statistics["mean"], own.n_missing) == (1.6, 1)
    assert found.objective[0].statistics["mean"] < own.adjusted < found.objective[2].statistics["mean"]
    assert own.interval is not None
    assert own.interval.estimate == 1.6
    assert own.note.startswith("lacks 1 seed: it is ranked by its mean adjusted for that, ")
    assert found.objective[0].adjusted == found.objective[0].statistics["mean"]
    assert found.objective[0].note == ""


def test_without_seeds_the_means_are_the_raw_ones() -> None:
    made = dataset({0: [1.0, 1.2, 9.0], 1: [1.5, 1.7, 0.0]}, outcomes={(1, 2): "failed"}, has_seeds=False)
    assert ranked(made) == [1, 0]


def test_the_pareto_set_is_that_of_the_adjusted_means() -> None:
    # 1 is worse than 0 in both objectives at each seed that it has; its raw means are the best.
    rows, speeds = {0: [1.0, 1.2, 9.0], 1: [1.5, 1.7, 0.0]}, {0: [5.0, 5.2, 50.0], 1: [5.5, 5.7, 0.0]}
    made = dataset(rows, others={"seconds": ("minimize", speeds)}, outcomes={(1, 2): "failed"})
    assert pareto_front(made, ranked(made)) == {0}


def test_a_condition_that_shares_no_seed_with_the_rest_keeps_its_mean_and_says_so() -> None:
    given = dataset({0: [1.0, 1.2, 9.0], 1: [1.5, 1.7, 9.6], 2: [4.0, 6.0]})
    moved = [replace(r, seed=f"other {r.seed}") if r.condition == 2 else r for r in given.replicates]
    own = analyze(replace(given, replicates=tuple(moved))).objective[2]
    assert (own.adjusted, own.n_missing) == (5.0, 0)
    assert own.note == "shares no seed with most conditions: its mean is not adjusted to theirs"
