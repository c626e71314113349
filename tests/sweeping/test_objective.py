"""Which measurements of a curve count for the objective."""

from __future__ import annotations

from rothamsted.analysis.objectives import counted


def curve(losses: dict[int, float]) -> tuple[list[int], list[float]]:
    return list(losses), list(losses.values())


def test_a_measurement_before_the_first_update_does_not_count() -> None:
    assert counted(*curve({0: 2.3, 5: 2.9, 10: 2.6})).tolist() == [2.9, 2.6]
    assert counted(*curve({0: 2.3})).tolist() == [2.3]


def test_the_first_step_of_a_foreign_project_counts() -> None:
    assert counted(*curve({0: 2.3, 1: 2.9}), counts_step_0=True).tolist() == [2.3, 2.9]
