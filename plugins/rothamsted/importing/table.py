"""Read tables: CSV, TSV, Parquet and JSON lines, with one row for each run, or for each step of each run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from rothamsted.caps import MOST_OF_TABLE
from rothamsted.errors import DataError
from rothamsted.given_files import open_given, reading
from rothamsted.importing import columns as names
from rothamsted.importing.flat import flat_texts, is_nothing, number_of
from rothamsted.importing.folders import WAY_OUT, changed_ms, size_of
from rothamsted.importing.histories import TIMES, points_of
from rothamsted.importing.rows import csv_form, csv_rows, rows_of
from rothamsted.importing.table_form import Row, TableForm, form_of, key_of, widened
from rothamsted.importing.times import time_ms, zone_of
from rothamsted.importing.values import ImportedRun
from rothamsted.records import MetricPoint, RunStatus

KINDS = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".xlsx", ".xls")  # of workbooks it says what to do
_PARQUET = b"PAR1"
_MOST_ROWS = 5_000_000


def matches(address: str) -> bool:
    """Say whether it is a file with the name of a table."""
    path = Path(address)
    return path.is_file() and path.suffix.lower() in KINDS


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]:
    """Yield the runs of a table in the order in which they first appear.

    Raises:
        DataError: it cannot be read, or the meaning of its columns is unclear; the message says what to add.
    """
    path, zone, notes = Path(address), zone_of(options.get("time_zone")), list[str]()
    rows: Sequence[Row] = _read_rows(path, notes)
    if not rows:
        raise DataError(f"{path}: has no rows; {WAY_OUT}")
    rows, options = widened(rows, options)
    form = form_of(path, rows, options)
    usual, shown = changed_ms(path), str(form)
    for number, (key, some) in enumerate(_grouped(rows, form)):
        name = key if form.run_by or "id" in form.other else f"{path.stem} {number}"
        yield _run(path, key, some, form, name=name, zone=zone, usual_ms=usual, notes=[*notes, shown])


def _grouped(rows: Sequence[Row], form: TableForm) -> Iterator[tuple[str, Sequence[Row]]]:
    """Run -> its rows; a row a run is called by its id, or by what is in it."""
    if not form.run_by:
        seen: Counter[str] = Counter()
        for row in rows:
            own = str(row[form.other["id"]]) if form.other.get("id") in row else ""
            key = own or sha256(repr(sorted(row.items())).encode("utf-8", "replace")).hexdigest()[:16]
            seen[key] += 1
            yield (key if seen[key] == 1 else f"{key}#{seen[key]}"), [row]
        return
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(key_of(row, form.run_by), []).append(row)
    yield from groups.items()


def _run(
    path: Path,
    key: str,
    rows: Sequence[Row],
    form: TableForm,
    *,
    name: str,
    zone: Any,
    usual_ms: int,
    notes: list[str],
) -> ImportedRun:
    whole = {name: value for row in reversed(rows) for name, value in row.items()}  # the first value of each
    last = {name: value for row in rows for name, value in row.items()}
    params = flat_texts({called: whole[name] for name, called in form.params.items() if name in whole}, notes)
    start = time_ms(whole.get(form.other.get("start", "")), zone)
    end = time_ms(last.get(form.other.get("end", "")), zone)
    points: Iterator[MetricPoint] | Sequence[MetricPoint] = ()
    summary: dict[str, float] = {}
    if form.is_history:
        measured = (_measured(row, form) for row in rows)
        points = points_of(
            measured, notes, step_by=form.step_by, usual_ms=start or usual_ms, zone=zone, only=[*form.metrics.values()]
        )
    else:
        there = {called: last[name] for name, called in form.metrics.items() if not is_nothing(last.get(name))}
        summary = {called: number for called, one in there.items() if (number := number_of(one)) is not None}
        notes += [f"{called} is not a number and is left out" for called in there if called not in summary]
    state = names.state_of(last[form.other["state"]], notes) if form.other.get("state") in last else RunStatus.FINISHED
    return ImportedRun(
        source_id=f"table:{path.resolve()}#{key}",
        name=str(whole.get(form.other.get("name", "")) or name),
        params=params,
        points=points,
        summary=summary,
        tags={called: str(last[name]) for name, called in form.tags.items() if name in last},
        start_ms=start or (end if end is not None else usual_ms),
        end_ms=None if state is RunStatus.RUNNING else end,
        state=state,
        notes=notes,
        revision=sha256(repr([sorted(row.items()) for row in rows]).encode("utf-8", "replace")).hexdigest()[:16],
    )


def _measured(row: Row, form: TableForm) -> Row:
    """The numbers of a row under the names that MLflow gets, with its step and time."""
    beside = [*([form.step_by] if form.step_by else []), *TIMES]
    kept = {name: row[name] for name in beside if name in row and name not in form.metrics}
    return {**kept, **{called: row[name] for name, called in form.metrics.items() if name in row}}


def _read_rows(path: Path, notes: list[str]) -> list[Row]:
    if size_of(path) > MOST_OF_TABLE:
        raise DataError(f"{path}: has more than {MOST_OF_TABLE} bytes, and a table is read whole; split it by runs")
    with open_given(path, way_out=WAY_OUT) as file:
        is_parquet = file.read(len(_PARQUET)) == _PARQUET
    if is_parquet or path.suffix.lower() in (".parquet", ".pq"):
        rows: Iterator[Row] = _parquet_rows(path)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        rows = ({**flat_texts(row)} for row in rows_of(path, notes))
    else:
        rows = csv_rows(path, csv_form(path), notes)
    found = []
    for row in rows:
        if len(found) == _MOST_ROWS:
            raise DataError(f"{path}: has more than {_MOST_ROWS} rows, and a table is read whole; split it by runs")
        found.append(row)
    return found


def _parquet_rows(path: Path) -> Iterator[Row]:
    """Rows as plain values by column, empty cells left out; measured by its own footer before it is read."""
    with reading(path, way_out="write the file again"), open_given(path, way_out=WAY_OUT) as file:
        parquet: Any = import_module("pyarrow.parquet")
        table = parquet.ParquetFile(file)
        groups = (table.metadata.row_group(index) for index in range(table.metadata.num_row_groups))
        n_bytes = sum(group.total_byte_size for group in groups)
        if n_bytes > 4 * MOST_OF_TABLE or table.metadata.num_rows > _MOST_ROWS:
            raise DataError(f"{path}: unpacks to {n_bytes} bytes in {table.metadata.num_rows} rows; split it by runs")
        columns = [name for name in table.schema_arrow.names if name and not name.startswith("__index_level_")]
        for batch in table.iter_batches(columns=columns):
            for row in batch.to_pylist():
                yield {name: value for name, value in row.items() if value is not None}
