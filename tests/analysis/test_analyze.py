"""Which numbers answer which question, and what is said where there is no answer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import scipy.stats

from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.ranking import by_seed, is_paired, near_best, ranked
from rothamsted.analysis.values import Dataset
from tests.analysis.runs import dataset

NAN = math.nan


def test_a_condition_has_its_mean_interval_and_counts() -> None:
    # By hand: mean 2, sd 1, n 3; t(0.975, df=2) = 4.302653; half-width 4.302653 / sqrt(3).
    found = analyze(dataset({0: [1.0, 2.0, 3.0], 1: [4.0, 5.0, 6.0]})).objective[0]
    assert found.interval is not None
    assert (found.n, found.counts, found.statistics["sd"]) == (3, {"finished": 3}, 1.0)
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.484138, 4.484138), abs=1e-6)


def test_conditions_are_ranked_by_mean_in_the_direction_of_the_objective() -> None:
    values = {0: [3.0, 3.1], 1: [1.0, 1.1], 2: [2.0, 2.1]}
    assert ranked(dataset(values)) == [1, 2, 0]
    assert ranked(dataset(values, direction="maximize")) == [0, 2, 1]


def test_a_condition_with_a_diverged_replicate_is_not_ranked() -> None:
    given = dataset({0: [1.0, 1.1, NAN], 1: [2.0, 2.1, 2.2]}, outcomes={(0, 2): "diverged"})
    found = analyze(given)
    assert found.ranking == (1,)
    assert "1 of 2 conditions has diverged replicates and is not ranked." in found.marks
    assert "1 of 3 diverged" in found.objective[0].note


def test_conditions_that_a_race_dropped_rank_last_and_are_not_among_the_best() -> None:
    # Condition 0 has the best mean over its two seeds, but the race gave it up after them.
    given = dataset({0: [0.1, 0.1, NAN], 1: [1.0, 1.1, 1.2], 2: [1.1, 1.0, 1.3]}, outcomes={(0, 2): "running"})
    dropped = replace(given.conditions[0], race="dropped after 2", dropped_after=2)
    raced = replace(given, conditions=(dropped, *given.conditions[1:]))
    found = analyze(raced)
    assert found.ranking == (1, 2, 0)
    assert found.best is not None
    assert set(found.best.members) == {1, 2}


def test_a_failed_replicate_is_missing_and_counted() -> None:
    found = analyze(dataset({0: [1.0, NAN, 3.0], 1: [4.0, 5.0, 6.0]}, outcomes={(0, 1): "failed"})).objective[0]
    assert (found.n, found.counts, found.statistics["mean"]) == (2, {"finished": 2, "failed": 1}, 2.0)


@pytest.mark.parametrize("odd", [NAN, math.inf, -math.inf])
def test_a_finished_replicate_without_a_finite_value_is_excluded_counted_and_marked(odd: float) -> None:
    found = analyze(dataset({0: [1.0, odd, 3.0], 1: [4.0, 5.0, 6.0]}))
    assert found.objective[0].n == 2
    assert found.objective[0].counts["excluded"] == 1
    assert any("1 finished replicate has no finite loss" in mark for mark in found.marks)


def test_one_replicate_has_no_interval_and_says_so() -> None:
    found = analyze(dataset({0: [1.0], 1: [2.0]}))
    assert found.objective[0].interval is None
    assert "one replicate" in found.objective[0].note
    assert found.best is None
    assert "fewer than two conditions have two or more replicates" in found.gaps["best"]


def test_one_condition_only_is_summarized_and_not_compared() -> None:
    found = analyze(dataset({0: [1.0, 2.0, 3.0]}))
    assert found.ranking == (0,)
    assert found.gaps["best"] == "only one condition has a score: there is nothing to compare"
    assert "effects" in found.gaps


def test_all_failed_gives_gaps_and_no_number() -> None:
    ended = {(c, s): "failed" for c in range(2) for s in range(3)}
    found = analyze(dataset({0: [NAN] * 3, 1: [NAN] * 3}, outcomes=ended))
    assert (found.ranking, found.best, found.comparisons, found.detectable) == ((), None, None, None)
    assert "No condition has a score." in found.marks
    assert {"best", "effects", "detectable", "curves"} <= set(found.gaps)


def test_mixed_replicate_counts_are_marked() -> None:
    found = analyze(dataset({0: [1.0, 2.0], 1: [2.0, 3.0, 4.0]}))
    assert any(mark.startswith("Conditions have 2 to 3 replicates") for mark in found.marks)


def test_common_seeds_are_compared_in_pairs() -> None:
    # Authority: scipy's paired t on the same pairs.
    rng = np.random.default_rng(0)
    seeds = rng.normal(size=6)
    a, b = seeds + rng.normal(scale=0.1, size=6), seeds + 0.2 + rng.normal(scale=0.1, size=6)
    found = analyze(dataset({0: a.tolist(), 1: b.tolist()}), Settings(reference=0))
    assert found.comparisons is not None
    (row,) = found.comparisons.rows
    assert found.comparisons.test == "paired t"
    assert (row.condition, row.reference) == (1, 0)
    assert row.p_value == pytest.approx(scipy.stats.ttest_rel(b, a).pvalue, rel=1e-9)


def test_replicates_without_seeds_are_compared_unpaired() -> None:
    # Authority: scipy's Welch test.
    a, b = [1.0, 1.2, 0.9, 1.1], [1.6, 1.1, 1.9, 1.5]
    found = analyze(dataset({0: a, 1: b}, has_seeds=False), Settings(reference=0))
    assert found.comparisons is not None
    assert found.comparisons.test == "Welch"
    assert found.comparisons.rows[0].p_value == pytest.approx(scipy.stats.ttest_ind(b, a, equal_var=False).pvalue)


def test_a_missing_replicate_breaks_its_pair_only() -> None:
    values = {0: [1.0, 2.0, 3.0, 4.0], 1: [2.0, 3.1, NAN, 5.2]}
    given = dataset(values, outcomes={(1, 2): "failed"})
    assert is_paired(given, [0, 1])
    matrix, seeds = by_seed(given, [0, 1])
    assert seeds == ("0", "1", "2", "3")
    assert np.isnan(matrix).tolist() == [[False] * 4, [False, False, True, False]]
    found = analyze(given, Settings(reference=0))
    assert found.comparisons is not None
    assert found.comparisons.rows[0].n == 3


def test_holm_corrects_over_the_whole_family() -> None:
    # Holm by hand: of three p-values the smallest is multiplied by 3.
    rng = np.random.default_rng(1)
    values = {c: (c * 0.5 + rng.normal(scale=0.3, size=5)).tolist() for c in range(4)}
    found = analyze(dataset(values), Settings(reference=0)).comparisons
    assert found is not None
    smallest = min(found.rows, key=lambda row: row.p_value)
    assert smallest.p_corrected == pytest.approx(3 * smallest.p_value)


def test_a_reference_can_be_given() -> None:
    found = analyze(dataset({0: [1.0, 2.0, 3.0], 1: [4.0, 5.5, 6.0]}), Settings(reference=1)).comparisons
    assert found is not None
    assert [(row.condition, row.reference) for row in found.rows] == [(0, 1)]


def test_a_reference_can_be_named_by_its_values() -> None:
    factors = {0: {"lr": 0.1}, 1: {"lr": 0.2}, 2: {"lr": 0.3}}
    given = dataset({0: [1.0, 2.0, 3.0], 1: [4.0, 5.5, 6.0], 2: [1.0, 1.5, 2.0]}, factors=factors)
    found = analyze(given, Settings(reference={"lr": 0.2})).comparisons
    assert found is not None
    assert {(row.condition, row.reference) for row in found.rows} == {(0, 1), (2, 1)}
    gap = analyze(given, Settings(reference={"lr": 0.4})).gaps["comparisons"]
    assert gap == "the reference: no condition has lr=0.4; name one condition by all its values"


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (7, "the reference, condition 7, is not there; there are: 0 to 1"),
        (1, "the reference, condition 1 (x=1), has no place in the ranking: name another"),
    ],
)
def test_a_reference_that_cannot_be_compared_with_is_named_with_the_way_out(reference: int, why: str) -> None:
    given = dataset({0: [1.0, 2.0, 3.0], 1: [NAN, NAN, NAN]}, outcomes={(1, s): "failed" for s in range(3)})
    assert analyze(given, Settings(reference=reference)).gaps["comparisons"] == why


def test_where_no_loss_would_be_called_worse_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rothamsted.analysis.verdicts._detectable_loss", lambda *given, **how: math.inf)
    found = analyze(dataset({0: [1.0, 2.0], 1: [4.0, 5.5]}))
    assert found.detectable is None
    assert found.gaps["detectable"] == "with 2 seeds a condition no loss, however large, is found with that probability"


def test_without_a_reference_nothing_is_compared_with_the_winner_as_if_it_had_been_named() -> None:
    found = analyze(dataset({0: [1.0, 2.0, 3.0], 1: [4.0, 5.5, 6.0], 2: [7.0, 8.0, 9.5], 3: [9.0, 9.5, 10.0]}))
    assert found.comparisons is None
    assert found.best is not None
    assert (found.best.winner, found.best.method, set(found.best.verdicts)) == (0, "leaders", {0, 1, 2, 3})


def test_the_file_says_which_loss_does_not_matter() -> None:
    # By hand: the others lose 0.001 at every seed, with a spread of 0.0001 between seeds: far within 0.01.
    seeds = [0.0, 0.1, 0.2, 0.3]
    values = {c: [s + (c > 0) * 0.001 + 0.0001 * ((c * i) % 3) for i, s in enumerate(seeds)] for c in range(4)}
    found = analyze(dataset(values), Settings(smallest_difference=0.01)).best
    assert found is not None
    assert found.having("as good") == tuple(number for number in found.verdicts if number != found.winner)


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_luck_is_positive_where_the_search_was_too_hopeful(direction: str, sign: int) -> None:
    # By hand: search mean 1.0, fresh mean 1.5: too hopeful by 0.5 when minimising, too modest when maximising.
    given = dataset({0: [0.9, 1.1], 1: [9.0, 9.1]}, direction=direction, confirm={0: [1.4, 1.6]})
    (confirmed,) = analyze(given).confirmed
    assert confirmed.luck.estimate == pytest.approx(sign * 0.5)
    assert confirmed.confirmed is not None
    assert confirmed.confirmed.n == 2


def test_fresh_seeds_do_not_touch_the_search_estimate() -> None:
    given = dataset({0: [0.9, 1.1], 1: [9.0, 9.1]}, confirm={0: [100.0, 100.0]})
    assert analyze(given).objective[0].statistics["mean"] == 1.0


def test_the_spread_of_bad_conditions_does_not_enter_a_plan() -> None:
    # The best quarter of eight conditions are two: numbers 0 and 1, though others scatter a hundred times more.
    assert near_best(list(range(8)), []) == [0, 1]
    assert near_best(list(range(8)), [0, 3, 5]) == [0, 1, 2]


def test_factors_of_a_grid_get_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(2)
    factors = {3 * i + j: {"width": 10 * i, "depth": j} for i in range(3) for j in range(3)}
    values = {n: (f["width"] + rng.normal(size=4)).tolist() for n, f in factors.items()}
    effects = analyze(dataset(values, factors=factors)).effects
    assert effects is not None
    p = {row.source: row.p_value for row in effects.rows}
    assert p["width"] < 1e-6
    assert p["depth"] > 0.001


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_the_interval_asked_for_is_the_interval_shown(interval: str) -> None:
    values = np.random.default_rng(3).normal(size=(2, 12)).tolist()
    found = analyze(dataset({0: values[0], 1: values[1]}), Settings(interval=interval)).objective[0]
    assert found.interval is not None
    assert found.interval.method == interval


def test_dunnett_compares_with_the_reference_jointly() -> None:
    # Authority: scipy's Dunnett test on the same groups, replicates without common seeds.
    rng = np.random.default_rng(4)
    values = {c: (c * 0.4 + rng.normal(scale=0.4, size=6)).tolist() for c in range(3)}
    found = analyze(dataset(values, has_seeds=False), Settings(correction="dunnett", reference=0)).comparisons
    assert found is not None
    others = [row.condition for row in found.rows]
    expected = scipy.stats.dunnett(*[values[c] for c in others], control=values[found.reference], rng=0)
    assert [row.p_corrected for row in found.rows] == pytest.approx(expected.pvalue, abs=2e-3)
    interval = expected.confidence_interval(0.95)
    assert [row.low for row in found.rows] == pytest.approx(interval.low, abs=5e-3)


def test_tukey_compares_with_the_reference_within_all_pairs() -> None:
    # Authority: scipy's Tukey test on the same groups, replicates without common seeds.
    rng = np.random.default_rng(5)
    values = {c: (c * 0.4 + rng.normal(scale=0.4, size=6)).tolist() for c in range(3)}
    found = analyze(dataset(values, has_seeds=False), Settings(correction="tukey", reference=0)).comparisons
    assert found is not None
    expected = scipy.stats.tukey_hsd(*values.values())
    interval = expected.confidence_interval(0.95)
    for row in found.rows:
        assert row.p_corrected == pytest.approx(expected.pvalue[row.condition, row.reference], rel=1e-6)
        assert row.low == pytest.approx(interval.low[row.condition, row.reference], rel=1e-6)


def shared(n_common: int) -> Dataset:
    """10 and 5 replicates that differ, with so many common seeds."""
    rng = np.random.default_rng(4)
    given = dataset({0: rng.normal(0.0, 1.0, 10).tolist(), 1: (1.8 + rng.normal(0.0, 1.0, 5)).tolist()})
    moved = [
        replace(r, seed=f"other {r.seed}") if r.condition == 1 and int(r.seed) >= n_common else r
        for r in given.replicates
    ]
    return replace(given, kind="runs", replicates=tuple(moved))


def test_too_few_common_seeds_are_no_pairs_and_the_result_says_which_test_ran_and_why() -> None:
    # Authority: scipy's Welch test on all values; the two pairs alone show nothing.
    given = shared(2)
    a, b = ([r.objective for r in given.replicates if r.condition == number] for number in (0, 1))
    found = analyze(given, Settings(reference=0)).comparisons
    assert found is not None
    assert (found.test, found.why_unpaired) == ("Welch", "2 common seeds, fewer than 3")
    [row] = found.rows
    assert row.p_value == pytest.approx(scipy.stats.ttest_ind(b, a, equal_var=False).pvalue)
    assert row.p_value < 0.05 < scipy.stats.ttest_rel(a[:2], b[:2]).pvalue
    asked = analyze(given, Settings(test="paired_t", reference=0)).comparisons
    assert asked is not None
    assert (asked.test, asked.rows[0].p_value) == ("Welch", row.p_value)
    assert asked.rows[0].note == "Welch, not paired: 2 common seeds, fewer than 3"


def test_enough_common_seeds_are_pairs() -> None:
    found = analyze(shared(4), Settings(reference=0)).comparisons
    assert found is not None
    assert (found.test, found.rows[0].n, found.why_unpaired) == ("paired t", 4, "")


def test_a_condition_that_lost_seeds_is_tested_by_itself_and_its_row_says_so() -> None:
    rng = np.random.default_rng(5)
    given = dataset({c: (c + rng.normal(size=3)).tolist() for c in range(4)}, outcomes={(3, 1): "failed"})
    found = analyze(given, Settings(reference=0)).comparisons
    assert found is not None
    assert found.test == "paired t (2 rows), Welch (1)"
    assert [row.note for row in found.rows if row.condition == 3] == ["Welch, not paired: 2 common seeds, fewer than 3"]


def test_a_seed_twice_in_a_condition_is_said_and_pairs_nothing() -> None:
    given = dataset({0: [1.0, 1.2, 0.9, 1.1], 1: [1.6, 1.1, 1.9, 1.5]})
    doubled = [replace(r, seed="0") if (r.condition, r.seed) == (1, "1") else r for r in given.replicates]
    found = analyze(replace(given, replicates=tuple(doubled)), Settings(reference=0))
    assert found.comparisons is not None
    assert (found.comparisons.test, found.comparisons.rows[0].n) == ("Welch", 4)
    assert found.comparisons.why_unpaired == "seed 0 is there twice in one condition"
    assert (
        "Condition 1 has one seed twice: nothing is compared seed by seed, and no mean is adjusted for missing seeds."
        in found.marks
    )


def test_ten_million_and_two_are_different_though_nothing_varies() -> None:
    found = analyze(dataset({0: [2.33] * 3, 1: [1e7] * 3}), Settings(reference=0)).comparisons
    assert found is not None
    [row] = found.rows
    assert row.is_different
    assert row.note.startswith("no spread: all 3 differences are equal")
    assert row.note.endswith("p is that of the largest spread that rounding could hide")


def test_equal_differences_of_one_step_of_a_coarse_metric_are_not_told_apart() -> None:
    # By hand: sd at most step / sqrt(6); t = sqrt(6) * sqrt(3) = 4.243, p = 0.0513 with 2 degrees of freedom.
    found = analyze(dataset({0: [0.90, 0.91, 0.92], 1: [0.91, 0.92, 0.93]}), Settings(reference=0)).comparisons
    assert found is not None
    assert found.rows[0].p_value == pytest.approx(0.0513, abs=1e-4)
    assert not found.rows[0].is_different


def test_the_verdict_on_ten_million_beside_two_is_worse_though_nothing_varies() -> None:
    found = analyze(dataset({0: [2.33] * 3, 1: [1e7] * 3})).best
    assert found is not None
    assert (found.winner, found.verdicts[1].verdict, found.members) == (0, "worse", (0,))


def test_the_winner_of_the_verdicts_is_the_first_of_the_ranking_where_a_seed_is_missing() -> None:
    # Seed 2 is hard for all: condition 0 lost it, and its raw mean is the best without deserving it.
    hard = {c: [1.0 + 0.2 * c, 1.1 + 0.2 * c, 9.0 + 0.2 * c] for c in (1, 2, 3, 4)}
    given = dataset({0: [1.5, 1.6, NAN], **hard}, outcomes={(0, 2): "failed"})
    found = analyze(given)
    assert found.ranking[0] == 1
    assert found.best is not None
    assert found.best.winner == 1
    assert [found.best.verdicts[n].mean for n in found.ranking] == [found.objective[n].adjusted for n in found.ranking]


def test_where_a_run_diverged_the_verdicts_warn_of_rare_failures() -> None:
    given = dataset({0: [1.0, 1.1, NAN], 1: [2.0, 2.1, 2.2], 2: [2.5, 2.6, 2.8]}, outcomes={(0, 2): "diverged"})
    found = analyze(given).best
    assert found is not None
    assert any(warning.startswith("Replicates diverged here.") for warning in found.warnings)
