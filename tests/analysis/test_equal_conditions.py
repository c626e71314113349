"""Equal conditions are one condition: their copies count once, whoever has trained them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.equal_conditions import CountedOnce, counted_once
from rothamsted.analysis.read_runs import read_runs
from rothamsted.analysis.values import Dataset
from rothamsted.space import Choice, Range
from tests.analysis.runs import LOSS, dataset, log_run

SPACE = {"x": Choice(values=(0.1, 0.2, 0.3))}


def merged(found: Dataset) -> CountedOnce:
    return counted_once(found.conditions, found.replicates, SPACE)


def of(x: float) -> dict[str, Any]:
    return {"x": x}


def objectives(once: CountedOnce) -> dict[tuple[int, str, str], float]:
    return {(r.condition, r.phase, r.seed): r.objective for r in once.replicates}


def test_a_copy_counts_once_under_its_first_trial_and_is_said() -> None:
    factors = {2: of(0.1), 5: of(0.1), 7: of(0.2), 9: of(0.10)}
    once = merged(dataset({n: [1.0, 2.0] for n in factors}, factors=factors))
    assert [c.number for c in once.conditions] == [2, 7]
    assert sorted(objectives(once)) == [(n, "search", str(s)) for n in (2, 7) for s in (0, 1)]
    assert once.marks == ("Trials 5, 9 repeat trial 2: counted once.",)
    assert [once.number(n) for n in (2, 5, 7, 9)] == [2, 2, 7, 2]


def test_conditions_that_differ_stay_as_they_are() -> None:
    found = dataset({1: [1.0, 2.0], 3: [3.0, 4.0]}, factors={1: of(0.1), 3: of(0.2)})
    once = merged(found)
    assert (once.conditions, tuple(once.replicates), once.marks) == (found.conditions, found.replicates, ())


def test_a_repeat_on_other_seeds_gives_more_replicates_of_the_one_condition() -> None:
    found = dataset({0: [1.0, 2.0], 1: [1.0, 2.0, 5.0]}, factors={0: of(0.1), 1: of(0.1)})
    once = merged(found)
    assert objectives(once) == {(0, "search", "0"): 1.0, (0, "search", "1"): 2.0, (0, "search", "2"): 5.0}


def test_copies_that_differ_are_said_and_the_first_counts() -> None:
    once = merged(dataset({0: [1.0, 2.0], 1: [1.0, 2.5]}, factors={0: of(0.1), 1: of(0.1)}))
    assert objectives(once)[0, "search", "1"] == 2.0
    assert "the training is not deterministic" in once.marks[1]


def test_a_result_takes_the_place_of_a_replicate_that_has_failed() -> None:
    found = dataset({0: [1.0, 2.0], 1: [1.0, 2.0]}, factors={0: of(0.1), 1: of(0.1)}, outcomes={(0, 1): "failed"})
    once = merged(found)
    assert objectives(once) == {(0, "search", "0"): 1.0, (0, "search", "1"): 2.0}
    assert len(once.marks) == 1


def test_a_pruned_first_trial_does_not_hide_one_that_ran_to_its_end() -> None:
    found = dataset(
        {0: [1.0, 2.0], 1: [1.0, 2.0]},
        factors={0: of(0.1), 1: of(0.1)},
        outcomes={(0, 0): "pruned", (0, 1): "pruned"},
        pruned={0: "behind the median"},
    )
    once = merged(found)
    assert [(c.number, c.pruned) for c in once.conditions] == [(1, "")]
    assert set(objectives(once).values()) == {1.0, 2.0}


def test_copies_on_fresh_seeds_count_once_too() -> None:
    found = dataset({0: [1.0], 1: [1.0]}, factors={0: of(0.1), 1: of(0.1)}, confirm={0: [3.0, 4.0], 1: [3.0, 4.0]})
    fresh = {place: value for place, value in objectives(merged(found)).items() if place[1] == "confirm"}
    assert fresh == {(0, "confirm", "100"): 3.0, (0, "confirm", "101"): 4.0}


def test_contestants_of_equal_values_stay_two() -> None:
    found = dataset({0: [1.0], 1: [1.0]}, factors={0: of(0.1), 1: of(0.1)}, name={0: "champion", 1: "challenger"})
    assert len(merged(found).conditions) == 2


def test_truth_values_are_no_numbers_and_steps_are_equal_as_steps() -> None:
    flags = dataset({0: [1.0], 1: [1.0]}, factors={0: {"flag": True}, 1: {"flag": 1}})
    assert len(counted_once(flags.conditions, flags.replicates, {}).conditions) == 2
    steps = dataset({0: [1.0], 1: [1.0]}, factors={0: of(0.3), 1: of(0.1 + 2 * 0.1)})
    by_step = {"x": Range(low=0.1, high=1.0, step=0.1)}
    assert len(counted_once(steps.conditions, steps.replicates, by_step).conditions) == 1


def test_with_no_effect_at_all_copies_do_not_make_one_significant() -> None:
    # Two conditions of one distribution on four seeds, each trained twice. Nominal 5 %: of 150 at most 5 % plus three
    # standard errors, sqrt(0.05 * 0.95 / 150), is 0.103. Counted as new conditions, copies give more.
    n_sweeps, n_wrong, n_of_copies = 150, 0, 0
    for sweep in range(n_sweeps):
        a, b = np.random.default_rng(sweep).normal(size=(2, 4))
        found = dataset(
            {0: a, 1: b, 2: a, 3: b}, factors={0: of(0.1), 1: of(0.2), 2: of(0.1), 3: of(0.2)}, has_seeds=True
        )
        once = merged(found)
        distinct = replace(found, conditions=once.conditions, replicates=tuple(once.replicates))
        n_wrong += _p_of_x(distinct) < 0.05
        n_of_copies += _p_of_x(found) < 0.05
    assert n_wrong / n_sweeps < 0.103
    assert n_of_copies > 2 * n_wrong  # 0.08 and 0.03; 0.38 and 0.05 by the classical F test


def _p_of_x(found: Dataset) -> float:
    effects = analyze(found, parts=frozenset({"effects"})).effects
    assert effects is not None
    return next(row.p_value for row in effects.rows if row.source == "x")


# ---- strangers ----


def test_runs_of_strangers_are_grouped_by_value_and_not_by_spelling(uri: str) -> None:
    for seed, lr, width in (("0", "0.1", "64"), ("1", "0.10", "64.0"), ("2", "1e-1", "64")):
        log_run(uri, {"lr": lr, "width": width, "seed": seed}, [1.0])
    log_run(uri, {"lr": "1e-05", "width": "64", "seed": "0"}, [2.0])
    log_run(uri, {"lr": "0.00001", "width": "64", "seed": "1.0"}, [2.0])
    found = read_runs("strangers", group_by=["lr", "width"], replicate_by="seed", objective=LOSS, uri=uri)
    assert [(c.values["lr"], c.values["width"]) for c in found.conditions] == [(0.1, 64), (1e-5, 64)]
    assert [(r.condition, r.seed) for r in found.replicates] == [(0, "0"), (0, "1"), (0, "2"), (1, "0"), (1, "1")]
    assert [factor.levels for factor in found.factors] == [(1e-5, 0.1), (64,)]


def test_true_is_not_1_and_not_a_number_is_itself(uri: str) -> None:
    for flag in ("True", "1", "true", "nan", "NaN"):
        log_run(uri, {"flag": flag}, [1.0])
    found = read_runs("strangers", group_by=["flag"], replicate_by=None, objective=LOSS, uri=uri)
    assert [c.values["flag"] for c in found.conditions[:2]] == [True, 1]
    assert math.isnan(found.conditions[2].values["flag"])
    assert [r.condition for r in found.replicates] == [0, 0, 1, 2, 2]


def test_a_run_again_with_another_spelling_is_the_same_replicate(uri: str) -> None:
    log_run(uri, {"lr": "0.1", "seed": "0"}, [1.0])
    log_run(uri, {"lr": "0.10", "seed": "0"}, [5.0])
    found = read_runs("strangers", group_by=["lr"], replicate_by="seed", objective=LOSS, uri=uri)
    assert [r.objective for r in found.replicates] == [5.0]


@pytest.mark.parametrize(("one", "other", "is_hidden"), [("0.1", "0.10", False), ("0.1", "0.2", True)])
def test_a_parameter_that_is_spelled_in_two_ways_does_not_differ(
    uri: str, one: str, other: str, is_hidden: bool
) -> None:
    log_run(uri, {"lr": "1", "decay": one, "seed": "0"}, [1.0])
    log_run(uri, {"lr": "1", "decay": other, "seed": "1"}, [1.0])
    found = read_runs("strangers", group_by=["lr"], replicate_by="seed", objective=LOSS, uri=uri)
    assert any("differ in decay" in mark for mark in found.marks) is is_hidden
