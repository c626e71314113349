"""Tables: CSV, TSV, Parquet and JSON lines, one row a run, or a row for each step of each run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

from rothamsted.caps import MOST_OF_TABLE
from rothamsted.errors import DataError
from rothamsted.given_files import open_given, reading
from rothamsted.importing import columns as names
from rothamsted.importing.flat import flat_texts, number_of
from rothamsted.importing.folders import WAY_OUT, changed_ms, size_of
from rothamsted.importing.histories import STEPS, TIMES, points_of
from rothamsted.importing.rows import csv_form, csv_rows, rows_of
from rothamsted.importing.times import time_ms, zone_of
from rothamsted.importing.values import ImportedRun
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.suggest import known_names

KINDS = (".csv", ".tsv", ".parquet", ".pq", ".jsonl", ".ndjson", ".xlsx", ".xls")  # of workbooks it says what to do
_PARQUET = b"PAR1"
_MOST_ROWS = 5_000_000
Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Form:
    """What the columns of a table are.

    Attributes:
        run_by: the column that says which run a row belongs to; None: each row is a run.
        step_by: the column of the step, of several rows a run.
        params, metrics, tags: column -> what it is called in MLflow.
        other: columns of a run's own: name, state, start, end, id, by what they are.
        metric_by: the column with the metric's name, where a row holds one number; its number is in `value`.
    """

    run_by: str | None
    step_by: str | None
    params: Mapping[str, str]
    metrics: Mapping[str, str]
    tags: Mapping[str, str]
    other: Mapping[str, str]


def matches(address: str) -> bool:
    """Whether it is a file with the name of a table."""
    path = Path(address)
    return path.is_file() and path.suffix.lower() in KINDS


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]:
    """The runs of a table in the order in which they first appear.

    Raises:
        DataError: it cannot be read, or what its columns are cannot be told; the line says what to add.
    """
    path, zone, notes = Path(address), zone_of(options.get("time_zone")), list[str]()
    rows = _read_rows(path, notes)
    if not rows:
        raise DataError(f"{path}: has no rows; {WAY_OUT}")
    form = form_of(path, rows, options)
    usual, shown = changed_ms(path), _said(form)
    for number, (key, some) in enumerate(_grouped(rows, form)):
        name = key if form.run_by or "id" in form.other else f"{path.stem} {number}"
        yield _run(path, key, some, form, name=name, zone=zone, usual_ms=usual, notes=[*notes, shown])


def form_of(path: Path, rows: Sequence[Row], options: Mapping[str, str]) -> Form:
    """What the columns are: as the options say, then as tools call them, then by their values."""
    known = list(dict.fromkeys(name for row in rows for name in row))
    asked = {key: _asked(path, options, key, known) for key in ("params", "metrics")}
    run_by = _one(path, options, "run_by", known)
    step_by = _one(path, options, "step_by", known)
    guessed = names.first_of(names.IDS, known)
    steps = step_by or names.first_of(STEPS, [name for name in known if name not in asked["params"] + asked["metrics"]])
    if run_by is None and guessed is not None and _repeats(rows, guessed):
        run_by = guessed
    if run_by is None and steps is not None and (step_by is not None or not asked["params"]):
        raise DataError(
            f"{path}: has the step column '{steps}' and none that tells runs apart; add run_by=COLUMN, or, for one row "
            f"a run, params=A,B and metrics=X,Y; {known_names('', known)}"
        )
    several = run_by is not None and _repeats(rows, run_by)
    other = {
        what: name
        for what, some in (("name", names.NAMES), ("state", names.STATES), ("start", names.STARTS), ("end", names.ENDS))
        if (name := names.first_of(some, known)) is not None and name not in asked["params"] + asked["metrics"]
    }
    if run_by is None and guessed is not None and guessed not in asked["params"]:
        other["id"] = guessed
    if several:
        other = {what: name for what, name in other.items() if name != run_by}
    taken = {*other.values(), *([run_by] if run_by else []), *([steps] if several and steps else [])}
    if several:
        taken |= {name for name in TIMES if name in known and name not in asked["params"] + asked["metrics"]}
    params, metrics, tags = _sorted(
        rows, [name for name in known if name not in taken], asked, run_by if several else None
    )
    if not metrics:
        raise DataError(f"{path}: none of its columns is surely a metric; add metrics=A,B; {known_names('', known)}")
    return Form(
        run_by=run_by, step_by=steps if several else None, params=params, metrics=metrics, tags=tags, other=other
    )


def _sorted(
    rows: Sequence[Row], known: Sequence[str], asked: Mapping[str, Sequence[str]], run_by: str | None
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Params, metrics and tags among the columns that are left."""
    found: dict[str, dict[str, str]] = {"param": {}, "metric": {}, "tag": {}}
    for name in known:
        role, called = names.role_of(name) or ("", name)
        if name in asked["params"] or name in asked["metrics"]:
            role = "param" if name in asked["params"] else "metric"
        elif not role and (asked["metrics"] or asked["params"]):
            is_metric = not asked["metrics"] and names.is_number_throughout(rows, name)
            role = "metric" if is_metric else "param" if not asked["params"] else "tag"
        elif not role:
            role = "metric" if _is_metric(rows, name, run_by) else "tag" if names.is_metric_name(name) else "param"
        found[role][name] = called
    return found["param"], found["metric"], found["tag"]


def _is_metric(rows: Sequence[Row], name: str, run_by: str | None) -> bool:
    if not names.is_number_throughout(rows, name):
        return False
    if names.is_metric_name(name):
        return True
    if run_by is None:
        return False
    first: dict[str, Any] = {}  # what changes within a run is measured
    return any(first.setdefault(str(row.get(run_by)), row[name]) != row[name] for row in rows if name in row)


def _grouped(rows: Sequence[Row], form: Form) -> Iterator[tuple[str, Sequence[Row]]]:
    """Run -> its rows; a row a run is called by its id, or by what is in it."""
    if form.run_by is None:
        seen: Counter[str] = Counter()
        for row in rows:
            own = str(row[form.other["id"]]) if form.other.get("id") in row else ""
            key = own or sha256(repr(sorted(row.items())).encode("utf-8", "replace")).hexdigest()[:16]
            seen[key] += 1
            yield (key if seen[key] == 1 else f"{key}#{seen[key]}"), [row]
        return
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row.get(form.run_by, "")), []).append(row)
    yield from groups.items()


def _run(
    path: Path,
    key: str,
    rows: Sequence[Row],
    form: Form,
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
    if form.step_by is not None:
        measured = (_measured(row, form) for row in rows)
        points = points_of(
            measured, notes, step_by=form.step_by, usual_ms=start or usual_ms, zone=zone, only=[*form.metrics.values()]
        )
    else:
        numbers = {called: number_of(last[name]) for name, called in form.metrics.items() if name in last}
        summary = {called: number for called, number in numbers.items() if number is not None}
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


def _measured(row: Row, form: Form) -> Row:
    """The numbers of a row under the names that MLflow gets, with its step and time."""
    beside = [*([form.step_by] if form.step_by else []), *TIMES]
    kept = {name: row[name] for name in beside if name in row and name not in form.metrics}
    return {**kept, **{called: row[name] for name, called in form.metrics.items() if name in row}}


def _repeats(rows: Sequence[Row], name: str) -> bool:
    seen: set[str] = set()
    for row in rows:
        if (text := str(row.get(name, ""))) in seen:
            return True
        seen.add(text)
    return False


def _one(path: Path, options: Mapping[str, str], key: str, known: Sequence[str]) -> str | None:
    given = options.get(key)
    if given is not None and given not in known:
        raise DataError(f"{path}: {key}={given}: has no such column; {known_names(given, known)}")
    return given


def _asked(path: Path, options: Mapping[str, str], key: str, known: Sequence[str]) -> list[str]:
    asked = [name.strip() for name in options.get(key, "").split(",") if name.strip()]
    for name in asked:
        if name not in known:
            raise DataError(f"{path}: {key}: has no column '{name}'; {known_names(name, known)}")
    return asked


def _said(form: Form) -> str:
    """What was taken as what, so that a wrong guess is seen."""
    parts = [f"params: {', '.join(form.params) or 'none'}", f"metrics: {', '.join(form.metrics)}"]
    rows = f"a row a step of {form.run_by}" if form.step_by else "a row a run"
    return f"taken as {rows}; {'; '.join(parts)} (params=, metrics= say otherwise)"


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
