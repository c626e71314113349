"""What is said of a race: its own error in one place, and a mark on every interval that it spoiled."""

from __future__ import annotations

from dataclasses import replace

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.race_words import race_mark, race_note
from rothamsted.analysis.values import Dataset
from rothamsted.reporting.tables.csv_tables import conditions_table, to_csv
from tests.analysis.runs import dataset

FATES = ("survived", "dropped after 3", "narrow after 3")


def _raced() -> Dataset:
    given = dataset({0: [1.0, 1.1, 1.2], 1: [2.0, 2.1, 2.3], 2: [1.5, 1.5, 1.6]})
    conditions = tuple(
        replace(one, race=fate, dropped_after=3 if fate.startswith("dropped") else 0)
        for one, fate in zip(given.conditions, FATES, strict=True)
    )
    return replace(given, conditions=conditions)


def test_the_interval_of_a_condition_that_a_race_dropped_is_marked_and_of_a_survivor_it_is_not() -> None:
    notes = [one.note for one in analyze(_raced()).objective]
    assert notes[0] == ""
    assert notes[1].startswith(
        "dropped after 3 replicates in the race because it looked worse: its interval is too narrow"
    )
    assert notes[2].startswith(
        "stopped after 3 replicates because its interval was narrow: such an interval is too narrow"
    )


def test_the_table_of_a_sweep_has_the_mark_in_its_column() -> None:
    text = to_csv(conditions_table(analyze(_raced())))
    assert sum("interval is too narrow" in line for line in text.splitlines()) == 2


def test_the_race_states_its_own_error_once() -> None:
    said = race_mark(_raced().conditions, level=0.95).replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert "dropped 1 of 3 conditions early" in said
    assert "among the other 2 with a probability of at least 95 %" in said
    assert "1 of 3 conditions stopped because the interval was narrow" in said


def test_without_a_race_nothing_is_said() -> None:
    given = dataset({0: [1.0, 1.1], 1: [2.0, 2.1]})
    assert race_mark(given.conditions, level=0.95) == ""
    assert race_note("") == ""
    assert race_note("survived") == ""
