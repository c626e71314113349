"""Which measurements of a curve count for the objective."""

from __future__ import annotations

from rothamsted.records import Measured
from rothamsted.sweep.scores import curve_of


def history(losses: dict[int, float]) -> list[Measured]:
    return [
        Measured(step=step, epoch=None, seconds=0.0, metrics={"val_loss": loss}, timestamp_ms=0)
        for step, loss in losses.items()
    ]


def test_a_measurement_before_the_first_update_does_not_count() -> None:
    assert curve_of(history({0: 2.3, 5: 2.9, 10: 2.6}), "val_loss") == [2.9, 2.6]
    assert curve_of(history({0: 2.3}), "val_loss") == [2.3]


def test_the_first_step_of_a_foreign_project_counts() -> None:
    assert curve_of(history({0: 2.3, 1: 2.9}), "val_loss", is_foreign=True) == [2.3, 2.9]
