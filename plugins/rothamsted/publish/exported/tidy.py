"""Write measurements as one long table, and further tables, as CSV and Parquet.

A row of `measurements` is one number that one training logged. `conditions` has the parameters, `replicates` how each
training ended, `results` means, intervals and verdicts; all join on the column condition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from rothamsted.analysis.values import Analysis, Dataset, Replicate, Series
from rothamsted.printable import csv_text
from rothamsted.reporting.tables.csv_tables import Table, conditions_table, replicates_table, to_csv
from rothamsted.wording import setting

FOLDER = "tables"
COLUMNS = ("condition", "phase", "replicate", "seed", "metric", "step", "seconds", "value")
_NAN = "NaN"  # polars knows no other spelling
_MOST_AT_ONCE = 200_000  # rows of a part of the Parquet file


def write_tables(analysis: Analysis, folder: Path, curves: Mapping[str, Mapping[str, Series]]) -> list[Path]:
    """Write all tables into `tables/` of an existing folder, and return the paths.

    Args:
        analysis: What was computed.
        folder: Where to.
        curves: Run -> metric -> curve. A run without curves has one row for each metric, its last value, without step.

    Raises:
        OSError: The folder cannot be written.
    """
    own = folder / FOLDER
    own.mkdir(exist_ok=True)
    dataset = analysis.dataset.cells or analysis.dataset
    paths = _write_measurements(dataset, curves, own)
    for table in (
        parameters_table(dataset),
        replicates_table(analysis),
        replace(conditions_table(analysis), name="results"),
    ):
        csv, columns = own / f"{table.name}.csv", own / f"{table.name}.parquet"
        csv.write_text(to_csv(table), encoding="utf-8")
        parquet.write_table(arrow_table(table), columns)
        paths += [csv, columns]
    return paths


def parameters_table(dataset: Dataset) -> Table:
    """Make one row a condition: its number, and the value of each parameter that is searched or the same in all."""
    names = [factor.name for factor in dataset.factors]
    fixed = {name: value for name, value in dataset.fixed.items() if name not in names}
    titles = [f"{name} (parameter)" if name == COLUMNS[0] else name for name in (*names, *fixed)]
    rows = [(one.number, *(one.values.get(name) for name in names), *fixed.values()) for one in dataset.conditions]
    return Table(name="conditions", columns=(COLUMNS[0], *titles), rows=tuple(rows))


def arrow_table(table: Table) -> pa.Table:
    """Make a table of Arrow: whole numbers, numbers, truths or text by column; a column of several kinds is text."""
    columns = [_array([row[place] for row in table.rows]) for place in range(len(table.columns))]
    return pa.table(columns, names=list(table.columns))


def rows_of(dataset: Dataset, curves: Mapping[str, Mapping[str, Series]]) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the rows of `COLUMNS`, replicate by replicate. Unknown values are None, diverged ones NaN."""
    has_numbers = all(one.seed.isdecimal() for one in dataset.replicates)
    for number, one in _numbered(dataset):
        seed = int(one.seed) if has_numbers else one.seed or None
        head = (one.condition, one.phase, number, seed)
        of_run = curves.get(one.run_id, {})
        points = [
            (metric, step, _known(seconds), value)
            for metric, series in sorted(of_run.items())
            for step, seconds, value in zip(
                series.steps.tolist(), series.seconds.tolist(), series.values.tolist(), strict=True
            )
        ]
        points += [(metric, None, None, value) for metric, value in sorted(one.metrics.items()) if metric not in of_run]
        yield [(*head, *point) for point in points]


def _numbered(dataset: Dataset) -> Iterator[tuple[int, Replicate]]:
    """The replicates, each with its number within its condition and phase, where nothing tells by their order."""
    seen: dict[tuple[int, str], int] = {}
    is_told = any(one.number for one in dataset.replicates)
    for one in dataset.replicates:
        place = (one.condition, one.phase)
        seen[place] = seen.get(place, -1) + 1
        yield (one.number if is_told else seen[place]), one


def _write_measurements(dataset: Dataset, curves: Mapping[str, Mapping[str, Series]], folder: Path) -> list[Path]:
    csv, columns = folder / "measurements.csv", folder / "measurements.parquet"
    has_numbers = all(one.seed.isdecimal() for one in dataset.replicates)
    kinds = (pa.int64(), pa.string(), pa.int64(), pa.int64() if has_numbers else pa.string(), pa.string())
    schema = pa.schema(list(zip(COLUMNS, (*kinds, pa.int64(), pa.float64(), pa.float64()), strict=True)))
    with csv.open("w", encoding="utf-8", newline="") as file, parquet.ParquetWriter(columns, schema) as writer:
        file.write(csv_text([COLUMNS]))
        waiting: list[tuple[Any, ...]] = []
        for rows in rows_of(dataset, curves):
            file.write(csv_text([*row[:-1], _NAN if row[-1] != row[-1] else row[-1]] for row in rows))
            waiting += rows
            if len(waiting) >= _MOST_AT_ONCE:
                writer.write_table(_of_rows(waiting, schema))
                waiting = []
        writer.write_table(_of_rows(waiting, schema))
    return [csv, columns]


def _of_rows(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def _array(values: Sequence[Any]) -> pa.Array:
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool}:
        return pa.array(values, pa.bool_())
    if kinds <= {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return pa.array(values, pa.int64())
    if kinds <= {int, float}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else setting(value) for value in values], pa.string())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
