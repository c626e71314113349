"""Turn rows of a history into metric points: find the columns of step, time and numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import chain, islice

from rothamsted.importing.flat import flat_numbers, is_nothing, number_of
from rothamsted.importing.rows import Row
from rothamsted.importing.times import time_ms
from rothamsted.recordable import MAX_STEP
from rothamsted.records import MetricPoint
from rothamsted.wording import plain_count, verb

STEPS = (
    "step",
    "_step",
    "global_step",
    "Step",
    "trainer/global_step",
    "training_iteration",
    "iteration",
    "iter",
    "epoch",
)
TIMES = ("timestamp", "_timestamp", "wall_time", "Wall time", "time", "date", "datetime", "created_at")
_LOOKED_AT = 1_000  # rows by which the columns of step and time are told


def points_of(
    rows: Iterable[Row],
    notes: list[str],
    *,
    step_by: str | None = None,
    usual_ms: int = 0,
    zone: tzinfo | None = UTC,
    only: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Iterator[MetricPoint]:
    """Yield a point for each number of each row.

    The step is the first column of `STEPS` that counts in whole numbers, else the number of the row. An `epoch` beside
    a step stays a metric. The time is the first column of `TIMES` that holds one.

    Args:
        rows: the rows of `rows_of`; nested values are flattened.
        notes: gets a line for columns without numbers, and for rows without a valid step.
        step_by: the column of the step; None: the first of `STEPS`.
        usual_ms: time of rows without one, milliseconds since 1970.
        zone: time zone of times that name none.
        only: the metrics to take; empty: all.
        without: columns that are not metrics.
    """
    every = iter(rows)
    head = list(islice(every, _LOOKED_AT))
    step_key = step_by or next((name for name in STEPS if counts(name, head)), None)
    time_key = next((name for name in TIMES if any(time_ms(row.get(name), zone) is not None for row in head)), None)
    left = {*without, *([step_key] if step_key else []), *([time_key] if time_key else [])}
    words, numeric = Counter[str](), set[str]()
    n_without_step = 0
    for number, row in enumerate(chain(head, every)):
        numbers = {name: value for name, value in flat_numbers(row).items() if name not in left}
        words.update(name for name, cell in row.items() if _is_word(cell))
        step = number if step_key is None else _step(row.get(step_key))
        if step is None:
            n_without_step += bool(numbers)
            continue
        time = time_ms(row[time_key], zone) if time_key is not None and time_key in row else None
        at = usual_ms if time is None else time
        for name, value in numbers.items():
            if not only or name in only:
                numeric.add(name)
                yield MetricPoint(name, value, at, step)
    if n_without_step:
        lacking = f"{plain_count(n_without_step, 'row')} {verb(n_without_step, 'has', 'have')}"
        left_out = f"{verb(n_without_step, 'is', 'are')} left out"
        notes.append(f"{lacking} no whole number as {step_key} and {left_out}")
    for name in sorted(numeric & words.keys()):
        values, are = (
            plain_count(words[name], "value"),
            verb(words[name], "is not a number and is", "are not numbers and are"),
        )
        notes.append(f"{values} of {name} {are} left out")
    if lost := [name for name in words if name not in left | numeric and (not only or name in only)]:
        notes.append(f"no numbers, so no metrics: {', '.join(lost[:5])}{' …' if len(lost) > 5 else ''}")


def counts(name: str, rows: Iterable[Row]) -> bool:
    """Say whether a column has whole numbers and no fractions, such as epochs of 0.25."""
    numbers = [number for row in rows if (number := number_of(row.get(name))) is not None and math.isfinite(number)]
    return bool(numbers) and all(number == int(number) for number in numbers)


def _is_word(cell: object) -> bool:
    """Whether a cell has something that is neither a number nor missing."""
    return isinstance(cell, str | list) and not is_nothing(cell) and number_of(cell) is None


def _step(value: object) -> int | None:
    number = number_of(value)
    if number is None or number != number or abs(number) >= MAX_STEP or number != int(number):
        return None
    return int(number)
