"""What forest, scatter, history, parallel coordinates, importance, Pareto front and outcomes take from an analysis."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance

from rothamsted.analysis.values import Comparisons, Confirmed
from rothamsted.reporting.plots import NotApplicable, PlotOptions, importance
from rothamsted.reporting.plots.differences import differences_caption, differences_data
from rothamsted.reporting.plots.history import history_data
from rothamsted.reporting.plots.importance import importance_caption, importance_data
from rothamsted.reporting.plots.outcomes import outcomes_caption, outcomes_data
from rothamsted.reporting.plots.parallel import ABSENT_PLACE, parallel_data
from rothamsted.reporting.plots.pareto import pareto_data
from rothamsted.reporting.plots.scatter import scatter_data
from rothamsted.statistics import Interval
from tests.reporting.analyses import analysis_of, comparison
from tests.reporting.pages import lucky
from tests.reporting.worlds import random_search

INF, NAN = math.inf, math.nan
NO_OPTIONS = PlotOptions()


def rates(n: int) -> list[dict[str, float]]:
    return [{"learning_rate": 10.0**-i} for i in range(n)]


def test_differences_have_one_row_a_condition_but_the_reference_best_first() -> None:
    # By hand: condition 1 is best; 0 is worse by 1, 2 by 2, at every seed.
    data = differences_data(analysis_of(rates(3), [[2.0, 2.1], [1.0, 1.1], [3.0, 3.1]]), NO_OPTIONS)
    assert data.conditions == (0, 2)
    np.testing.assert_allclose(data.difference, [1.0, 2.0])
    assert data.reference.startswith("1: ")


def test_differences_of_many_conditions_show_the_25_best_and_says_how_many_there_are() -> None:
    data = differences_data(analysis_of(rates(40), [[i + 0.0, i + 0.1, i + 0.3] for i in range(40)]), NO_OPTIONS)
    assert len(data.labels) == 25
    assert "The 25 best ranked are shown; 14 more are in the table" in differences_caption(data)


def test_a_row_that_exploded_is_cut_at_the_edge_and_does_not_flatten_the_others() -> None:
    analysis = analysis_of(rates(5), [[1.0, 1.1]] * 5, with_comparisons=False)
    rows = [comparison(i, 0, d, d - 0.1, d + 0.1, 0.01) for i, d in enumerate((0.5, 1.0, 1.5, 1e6), start=1)]
    family = Comparisons(reference=0, test="paired t", correction="holm", level=0.95, rows=tuple(rows))
    data = differences_data(dataclasses.replace(analysis, comparisons=family), NO_OPTIONS)
    # By hand: the middle reach of 0.6, 1.1, 1.6 and 1000000.1 is 1.35; what reaches within 12 of it ends at 1.6.
    assert data.edge == pytest.approx(1.1 * 1.6)
    assert "1 row beyond the axis" in differences_caption(data)


@pytest.mark.parametrize(
    ("test", "correction", "said"),
    [
        ("paired t", "holm", "95 % intervals, each for itself: not corrected for the number of comparisons."),
        ("Dunnett's", "dunnett", "intervals that all hold together with 95 % confidence."),
    ],
)
def test_a_caption_of_differences_says_what_its_intervals_hold_for(test: str, correction: str, said: str) -> None:
    # Dunnett (1955), JASA 50(272): his limits are simultaneous; those of single t tests are not.
    made = analysis_of(rates(3), [[1.0, 1.1], [1.2, 1.3], [0.5, 0.6]])
    assert made.comparisons is not None
    family = dataclasses.replace(made.comparisons, test=test, correction=correction)
    caption = differences_caption(differences_data(dataclasses.replace(made, comparisons=family), NO_OPTIONS))
    assert f"Condition minus reference, with {said}" in caption.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert ("corrected by Holm" in caption) == (correction == "holm")


def test_a_comparison_without_a_finite_difference_is_counted_not_drawn() -> None:
    analysis = analysis_of(rates(3), [[1.0, 1.1]] * 3, with_comparisons=False)
    rows = (comparison(1, 0, 0.5, 0.4, 0.6, 0.01), comparison(2, 0, NAN, NAN, NAN, NAN))
    family = Comparisons(reference=0, test="Welch", correction="holm", level=0.95, rows=rows)
    data = differences_data(dataclasses.replace(analysis, comparisons=family), NO_OPTIONS)
    assert (data.conditions, data.n_undefined) == ((1,), 1)


def test_without_comparisons_the_differences_give_the_reason_of_the_analysis() -> None:
    gaps = {"comparisons": "one replicate each"}
    analysis = analysis_of(rates(2), [[1.0], [2.0]], with_comparisons=False, gaps=gaps)
    with pytest.raises(NotApplicable, match="one replicate each"):
        differences_data(analysis, NO_OPTIONS)


def test_a_scatter_shows_each_finite_replicate_and_marks_where_others_diverged() -> None:
    data = scatter_data(analysis_of(rates(2), [[1.0, 2.0, NAN], [3.0, INF, 5.0]]), NO_OPTIONS)
    panel = data.panels[0]
    assert sorted(zip(panel.x.tolist(), panel.y.tolist(), strict=True)) == [
        (0.1, 3.0),
        (0.1, 5.0),
        (1.0, 1.0),
        (1.0, 2.0),
    ]
    assert panel.x_lost.tolist() == [0.1]
    assert data.n_lost == 2


def test_replicates_of_the_confirmation_are_not_among_those_of_the_search() -> None:
    analysis = analysis_of(rates(2), [[1.0, 2.0], [3.0, 4.0]])
    first, *rest = analysis.dataset.replicates
    replicates = (dataclasses.replace(first, phase="confirm"), *rest)
    dataset = dataclasses.replace(analysis.dataset, replicates=replicates)
    data = scatter_data(dataclasses.replace(analysis, dataset=dataset), NO_OPTIONS)
    assert sorted(data.panels[0].y.tolist()) == [2.0, 3.0, 4.0]


def test_a_factor_that_does_not_apply_everywhere_has_its_panel_without_those_conditions() -> None:
    analysis = random_search()
    panels = {panel.axis.name: panel for panel in scatter_data(analysis, NO_OPTIONS).panels}
    n_adam = sum(condition.values["optimizer"] == "adam" for condition in analysis.dataset.conditions)
    assert panels["momentum"].n_absent == n_adam
    assert len(panels["momentum"].mean) == 40 - n_adam


def test_the_running_best_is_that_of_the_conditions_so_far() -> None:
    # By hand: means 3, 2, 4, 1; the fifth condition diverged once, so it cannot be the best though its mean is 0.5.
    rows = [[3.0, 3.0], [2.0, 2.0], [4.0, 4.0], [1.0, 1.0], [0.5, INF]]
    data = history_data(analysis_of(rates(5), rows, with_comparisons=False), NO_OPTIONS)
    assert data.best_so_far.tolist() == [3.0, 2.0, 2.0, 1.0, 1.0]


def test_the_running_best_of_a_maximised_metric_rises() -> None:
    rows = [[3.0, 3.0], [2.0, 2.0], [4.0, 4.0]]
    analysis = analysis_of(rates(3), rows, with_comparisons=False, direction="maximize")
    assert history_data(analysis, NO_OPTIONS).best_so_far.tolist() == [3.0, 3.0, 4.0]


def test_trials_without_a_score_stand_apart_in_a_history() -> None:
    data = history_data(analysis_of(rates(3), [[3.0, 3.1], [NAN, NAN], [2.0, 2.1]]), NO_OPTIONS)
    assert (data.trials.tolist(), data.without.tolist()) == ([0, 2], [1])


def test_a_history_shows_the_winner_on_fresh_seeds_where_it_was_confirmed() -> None:
    fresh = Interval(estimate=1.2, low=1.0, high=1.4, level=0.95, n=10, method="t")
    confirmed = (Confirmed(condition=1, search=None, confirmed=fresh, luck=lucky(0.2)),)
    data = history_data(analysis_of(rates(2), [[3.0, 3.1], [1.0, 1.1]], confirmed=confirmed), NO_OPTIONS)
    assert data.fresh is not None
    assert (data.fresh.mean, data.fresh.low, data.fresh.high, data.fresh.n) == (1.2, 1.0, 1.4, 10)


def test_parallel_coordinates_run_from_the_least_to_the_greatest_level_and_draw_the_best_last() -> None:
    values = [{"learning_rate": r, "width": w} for r, w in ((0.01, 10), (0.1, 30), (1.0, 20))]
    data = parallel_data(analysis_of(values, [[2.0, 2.0], [1.0, 1.0], [5.0, 5.0]], with_comparisons=False), NO_OPTIONS)
    # By hand: 0.1 is half-way in decades, 30 the top of 10 to 30; scores 1, 2 and 5 lie at 0, 1/4 and 1.
    np.testing.assert_allclose(data.lines, [[1.0, 0.5, 1.0], [0.0, 0.0, 0.25], [0.5, 1.0, 0.0]], atol=1e-12)


def test_a_factor_that_does_not_apply_lies_below_its_axis() -> None:
    values = [{"a": 1, "b": 1}, {"a": 2, "b": 2}, {"a": 3}]
    data = parallel_data(analysis_of(values, [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], with_comparisons=False), NO_OPTIONS)
    assert data.lines[0, 1] == ABSENT_PLACE
    assert data.has_absent


def test_a_forest_finds_the_factor_that_the_score_depends_on_and_gives_the_other_nothing() -> None:
    # Theory: the score is a function of x alone, so shuffling the other changes no prediction on average, and
    # shuffling x brings the squared error to about twice the variance, from next to nothing.
    rng = np.random.default_rng(0)
    values = [{"other": float(rng.random()), "x": float(x)} for x in rng.random(80)]
    data = importance_data(
        analysis_of(values, [[5 + 10 * v["x"]] * 2 for v in values], with_comparisons=False), NO_OPTIONS
    )
    assert data.factors == ("x", "other")
    assert 1.5 < data.importance[0] < 2.5
    assert abs(data.importance[1]) < 0.05
    assert data.r2 > 0.95


def test_the_caption_of_importance_names_the_conditions_that_are_left_out() -> None:
    values = [{"other": float(i % 3), "x": float(i)} for i in range(30)]
    rows = [[5 + v["x"]] * 2 for v in values]
    rows[4] = [math.inf, math.inf]
    data = importance_data(analysis_of(values, rows, with_comparisons=False, pruned={7: "at step 50"}), NO_OPTIONS)
    assert (
        "Left out: 1 that was pruned (7) and 1 in which a replicate diverged (4); what makes training diverge does not "
        "count here." in importance_caption(data)
    )


def test_importance_of_a_category_counts_all_its_levels_together() -> None:
    rng = np.random.default_rng(1)
    values = [{"kind": str(rng.choice(["a", "b", "c", "d"])), "noise": float(rng.random())} for _ in range(60)]
    effect = {"a": 0.0, "b": 1.0, "c": 5.0, "d": 2.0}
    data = importance_data(
        analysis_of(values, [[effect[v["kind"]]] * 2 for v in values], with_comparisons=False), NO_OPTIONS
    )
    assert data.factors == ("kind", "noise")


def test_equal_analyses_give_equal_importance() -> None:
    first, second = (importance_data(random_search(), NO_OPTIONS) for _ in range(2))
    assert first.importance.tolist() == second.importance.tolist()


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_importance_is_refused_where_a_forest_predicts_nothing(seed: int) -> None:
    # Theory: scores independent of the factors have an out-of-bag R² of about zero or below.
    rng = np.random.default_rng(seed)
    values = [{"a": float(rng.random()), "b": float(rng.random())} for _ in range(30)]
    analysis = analysis_of(values, rng.standard_normal((30, 3)).tolist())
    with pytest.raises(NotApplicable, match="importance would be noise"):
        importance_data(analysis, NO_OPTIONS)


def test_importance_needs_twelve_conditions() -> None:
    with pytest.raises(NotApplicable, match="needs 12 conditions with a score; there are 11"):
        importance_data(
            analysis_of([{"a": i, "b": -i} for i in range(11)], [[float(i)] for i in range(11)]), NO_OPTIONS
        )


def test_a_front_pairs_the_objective_with_the_metric_asked_for_in_its_direction() -> None:
    # By hand: loss 1, 2, 3; accuracy 0.5, 0.9, 0.8: condition 2 is beaten by condition 1.
    accuracy = [[0.5, 0.5], [0.9, 0.9], [0.8, 0.8]]
    analysis = analysis_of(
        rates(3), [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]], metrics={"acc": accuracy}, with_comparisons=False
    )
    data = pareto_data(analysis, PlotOptions(second="acc", second_direction="maximize"))
    assert data.is_front.tolist() == [True, True, False]


def test_a_front_without_a_second_metric_takes_the_time_of_the_runs() -> None:
    # By hand: the builder gives condition i 10 + i seconds, and 0.1 more with every seed: mean 10.05 + i.
    data = pareto_data(analysis_of(rates(2), [[1.0, 1.1], [2.0, 2.1]]), NO_OPTIONS)
    np.testing.assert_allclose(data.second.mean, [10.05, 11.05])
    assert data.second.label == "time of a replicate (seconds)"


def test_outcomes_count_every_replicate_and_put_first_what_lost_most() -> None:
    data = outcomes_data(analysis_of(rates(3), [[1.0, NAN, 1.0], [1.0, 1.0, 1.0], [INF, INF, NAN]]), NO_OPTIONS)
    assert data.conditions == (2, 0)
    assert data.outcomes == ("finished", "diverged", "failed")
    assert data.counts.tolist() == [[0, 2, 1], [2, 0, 1]]
    expected = "9 replicates of 3 conditions: 5 finished, 2 diverged, 2 failed. 1 condition lost none."
    assert outcomes_caption(data) == expected


def test_an_outcome_of_an_unknown_name_is_counted_as_other() -> None:
    analysis = analysis_of(rates(1), [[1.0, 1.0]])
    first, *rest = analysis.dataset.replicates
    replicates = (dataclasses.replace(first, outcome="evicted"), *rest)
    dataset = dataclasses.replace(analysis.dataset, replicates=replicates)
    assert outcomes_data(dataclasses.replace(analysis, dataset=dataset), NO_OPTIONS).outcomes == ("finished", "other")


def test_a_sweep_that_lost_nothing_has_no_outcomes_to_draw_and_says_so() -> None:
    with pytest.raises(NotApplicable, match="all 120 replicates of 40 conditions finished"):
        outcomes_data(random_search(), NO_OPTIONS)


def test_the_out_of_bag_r2_is_that_of_scikit_learn() -> None:
    # Authority: sklearn.ensemble.RandomForestRegressor with oob_score=True; each draws its own conditions, so the means
    # of eight forests agree within five standard errors of their difference.
    rng = np.random.default_rng(0)
    columns = rng.uniform(size=(40, 3))
    columns[3, 1] = np.nan  # a factor that does not apply
    target = columns[:, 0] + 0.1 * rng.normal(size=40)
    found = [importance._forest(columns, np.array([0, 1, 1]), target, seed)[0] for seed in range(8)]
    known = [
        RandomForestRegressor(importance.N_TREES, oob_score=True, min_samples_leaf=2, random_state=seed)
        .fit(columns, target)
        .oob_score_
        for seed in range(8)
    ]
    error = math.sqrt((np.var(found, ddof=1) + np.var(known, ddof=1)) / 8)
    assert np.mean(found) == pytest.approx(np.mean(known), abs=5 * error)


def test_importance_is_that_of_scikit_learn_by_permutation() -> None:
    # Authority: sklearn.inspection.permutation_importance of a forest on conditions that it has not seen.
    rng = np.random.default_rng(0)
    columns = rng.uniform(size=(600, 3))
    target = columns[:, 0] + 0.5 * columns[:, 1]
    known = RandomForestRegressor(100, min_samples_leaf=2, random_state=0).fit(columns[:300], target[:300])
    theirs = permutation_importance(
        known, columns[300:], target[300:], scoring="neg_mean_squared_error", n_repeats=20, random_state=0
    )
    _, found = importance._forest(columns[:300], np.arange(3), target[:300], 0)
    assert found == pytest.approx(theirs["importances_mean"] / target[300:].var(), abs=0.12)


def test_a_condition_that_every_tree_has_seen_is_in_no_r2() -> None:
    target, predicted = np.array([1.0, 2.0, 3.0, 50.0]), np.array([2.0, 4.0, 6.0, 0.0])
    assert importance.out_of_bag_r2(target, predicted, np.array([2.0, 2.0, 2.0, 0.0])) == 1.0
