"""A study's generator, driven to its end; shared by the tests of the studies."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

M, T = TypeVar("M"), TypeVar("T")


def to_the_end(
    training: Generator[M | None, None, list[T]], on_measurement: Callable[[M], None] = lambda measurement: None
) -> tuple[list[M], list[T]]:
    """Every measurement, and the trained models.

    Args:
        training: What `train(configs, state)` gives.
        on_measurement: Called with each measurement while it is the present one.
    """
    measurements: list[M] = []
    while True:
        try:
            measurement = next(training)
        except StopIteration as ended:
            return measurements, ended.value
        if measurement is not None:  # None says that everything is set up
            on_measurement(measurement)
            measurements.append(measurement)
