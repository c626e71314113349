"""Tables for programs: every digit, nothing where nothing is, one row for each thing."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import numpy as np
import pytest

from rothamsted.analysis.values import Factor
from rothamsted.reporting.tables.csv_tables import Table, to_csv
from tests.reporting import pages, worlds
from tests.reporting.tables import TABLES

NAN = math.nan


def rows_of(name: str, analysis: Any) -> list[dict[str, Any]]:
    """The rows of one table by the names of its columns."""
    table = TABLES[name](analysis)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def read(text: str) -> list[dict[str, str]]:
    """CSV as another program reads it."""
    return list(csv.DictReader(io.StringIO(text)))


def full() -> Any:
    """Three conditions: 1 is best, 0 next, 2 diverged once; everything else is there too."""
    replicates = [
        pages.replicate(0, 0, 0.5),
        pages.replicate(0, 1, 0.7),
        pages.replicate(1, 0, 0.2),
        pages.replicate(1, 1, 0.4),
        pages.replicate(2, 0, 0.1),
        pages.replicate(2, 1, NAN, outcome="diverged", reason="loss is inf"),
    ]
    made = pages.analysis(
        {0: [], 1: [], 2: []},
        replicates=replicates,
        best=pages.best_set(1),
        comparisons=pages.family(1, pages.comparison(0, 1, 0.3, note="n is small")),
        effects=pages.effects(),
        confirmed=(pages.confirmed(1, pages.interval(0.3, 0.1, 0.5, 2), pages.interval(0.35, 0.3, 0.4, 10)),),
    )
    return pages.with_metrics(made, {"accuracy": {0: 0.8, 1: 0.9}})


def made_for(name: str) -> Any:
    """An analysis that this table has rows of."""
    return worlds.several() if name == "pareto" else full()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_each_row_of_a_table_has_a_cell_for_each_column(name: str) -> None:
    table = TABLES[name](made_for(name))
    assert {len(row) for row in table.rows} == {len(table.columns)}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_no_two_columns_of_a_table_are_called_alike(name: str) -> None:
    columns = TABLES[name](made_for(name)).columns
    assert len(set(columns)) == len(columns)


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_is_named_as_it_is_listed(name: str) -> None:
    assert TABLES[name](full()).name == name


@pytest.mark.parametrize("name", ["comparisons", "effects", "means", "metrics"])
def test_a_part_that_is_missing_is_a_table_without_rows(name: str) -> None:
    assert TABLES[name](pages.analysis({0: [0.5]})).rows == ()


@pytest.mark.parametrize("name", sorted(TABLES))
def test_csv_gives_back_the_number_of_rows_and_the_names_of_columns(name: str) -> None:
    table = TABLES[name](made_for(name))
    found = read(to_csv(table))
    assert (len(found), tuple(found[0])) == (len(table.rows), table.columns)


def test_conditions_stand_in_the_order_of_their_rank_and_unranked_ones_last() -> None:
    found = [(row["rank"], row["condition"]) for row in rows_of("conditions", full())]
    assert found == [(1, 1), (2, 0), (None, 2)]


# By hand: 0.5 and 0.7 have the mean 0.6 and the standard deviation 0.1 * sqrt(2).
def test_a_condition_has_the_statistics_of_its_replicates() -> None:
    row = rows_of("conditions", full())[1]
    assert (row["n"], row["mean"], row["sd"]) == (2, pytest.approx(0.6), pytest.approx(0.1 * math.sqrt(2)))


# Student's t with one degree of freedom: t(0.975) = 12.7062 (tables), half-width 12.7062 * 0.1.
def test_a_condition_has_its_interval_with_level_and_method() -> None:
    row = rows_of("conditions", full())[1]
    shown = (row["ci_low"], row["ci_high"], row["level"], row["method"])
    assert shown == (pytest.approx(-0.67062, abs=1e-5), pytest.approx(1.87062, abs=1e-5), 0.95, "t")


def test_outcomes_are_counted_by_condition() -> None:
    row = rows_of("conditions", full())[2]
    assert (row["n_finished"], row["n_diverged"], row["n_failed"]) == (1, 1, 0)


def test_an_outcome_that_is_not_usual_has_a_column_too() -> None:
    made = pages.analysis({0: []}, replicates=[pages.replicate(0, 0, NAN, outcome="pruned")])
    assert rows_of("conditions", made)[0]["n_pruned"] == 1


def test_membership_in_the_best_set_is_unknown_where_there_is_no_set() -> None:
    assert rows_of("conditions", pages.analysis({0: [0.5]}))[0]["can_be_best"] is None


def test_a_factor_with_the_name_of_a_column_is_marked() -> None:
    factors = [Factor(name="n", levels=(1, 2), is_numeric=True, is_log=False)]
    made = pages.analysis({0: [0.5], 1: [0.6]}, values={0: {"n": 1}, 1: {"n": 2}}, factors=factors)
    assert [row["n (factor)"] for row in rows_of("conditions", made)] == [1, 2]


def test_a_factor_that_does_not_apply_to_a_condition_is_empty_in_csv() -> None:
    factors = [Factor(name=name, levels=(1, 2), is_numeric=True, is_log=False) for name in ("a", "b")]
    made = pages.analysis({0: [0.5], 1: [0.6]}, values={0: {"a": 1}, 1: {"b": 2}}, factors=factors)
    found = read(to_csv(TABLES["conditions"](made)))
    assert [(row["a"], row["b"]) for row in found] == [("1", ""), ("", "2")]


def test_replicates_without_a_score_say_why() -> None:
    last = rows_of("replicates", full())[-1]
    assert (last["condition"], last["seed"], last["outcome"], last["reason"]) == (2, "1", "diverged", "loss is inf")


def test_metrics_have_a_row_for_each_condition_that_has_them() -> None:
    found = [(row["metric"], row["condition"], row["mean"]) for row in rows_of("metrics", full())]
    assert found == [("accuracy", 0, 0.8), ("accuracy", 1, 0.9)]


def test_comparisons_name_their_test_reference_and_correction() -> None:
    [row] = rows_of("comparisons", full())
    shown = (row["condition"], row["reference"], row["difference"], row["test"], row["correction"], row["note"])
    assert shown == (0, 1, 0.3, "paired t", "holm", "n is small")


def test_effects_and_means_are_those_of_the_analysis() -> None:
    found = full()
    sources = [row["source"] for row in rows_of("effects", found)]
    levels = [(row["factor"], row["level"]) for row in rows_of("means", found)]
    assert (sources[0], sources[-1], levels[-1]) == ("lr", "residual", ("width", "wide"))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (NAN, ""),
        (None, ""),
        (0.1 + 0.2, "0.30000000000000004"),
        (np.float64(0.1), "0.1"),
        (np.int64(3), "3"),
        (np.bool_(True), "true"),
        (False, "false"),
        (math.inf, "inf"),
        ([1, "a"], '[1, "a"]'),
        ("a, b", "a, b"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_csv_holds_every_digit_and_nothing_for_what_is_missing(value: Any, written: str) -> None:
    table = Table(name="any", columns=("first", "second"), rows=((value, "end"),))
    assert [(row["first"], row["second"]) for row in read(to_csv(table))] == [(written, "end")]
