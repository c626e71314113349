"""Turn a caller's results into rows: files, a DataFrame, MLflow's runs, mappings."""

from __future__ import annotations

import csv
import glob
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rothamsted.analysis.read_rows import ResultRow
from rothamsted.analysis.typed import typed
from rothamsted.errors import UserError
from rothamsted.given_files import read_given_text, reading
from rothamsted.yaml_text import load_json

_WAY_OUT = "give files of JSON, JSON lines or CSV"
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv")
_STATUS = {"FINISHED": "finished", "FAILED": "failed", "KILLED": "interrupted", "RUNNING": "running"}
_WILD = "*?["


def is_files(data: Any) -> bool:
    """Return whether this names files: a path, a pattern, or several."""
    if isinstance(data, (list, tuple)):
        return bool(data) and all(map(is_files, data))
    return isinstance(data, Path) or (
        isinstance(data, str) and (data.endswith(SUFFIXES) or any(c in data for c in _WILD))
    )


def rows_of(data: Any) -> list[ResultRow] | None:
    """Return the rows of files, a DataFrame, MLflow's runs or mappings; None if it is none of these.

    Raises:
        UserError: a file cannot be read, or has other contents.
    """
    if is_files(data):
        return [row for path in _paths(data) for row in _of_file(path)]
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        return _of_frame(data)
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes, Mapping)):
        members = list(data)
        if members and all(hasattr(one, "info") and hasattr(one, "data") for one in members):
            return [_of_run(one) for one in members]
        if members and all(isinstance(one, Mapping) for one in members):
            return [ResultRow(values=_flat(one), place=f"row {n}") for n, one in enumerate(members)]
    return None


def _paths(data: Any) -> list[Path]:
    given = data if isinstance(data, (list, tuple)) else [data]
    paths: list[Path] = []
    for one in given:
        text = str(Path(one).expanduser())
        found = sorted(glob.glob(text, recursive=True)) if any(c in text for c in _WILD) else [text]  # noqa: PTH207  (absolute)
        if not found:
            raise UserError(f"rt.analyze: {one}: no file matches; give a pattern such as 'runs/*/summary.json'")
        paths += map(Path, found)
    return paths


def _of_file(path: Path) -> Iterator[ResultRow]:
    """A JSON object is a row, a list of them several; of JSON lines and CSV each line is one."""
    source = f"rt.analyze: {path}"
    text = read_given_text(path, source=source, way_out=_WAY_OUT, error=UserError)
    with reading(source, way_out=_WAY_OUT, error=UserError):
        if path.suffix == ".csv":
            found: list[Any] = [{k: typed(v) for k, v in one.items() if v} for one in csv.DictReader(text.splitlines())]
        elif path.suffix in (".jsonl", ".ndjson"):
            found = [load_json(line) for line in text.splitlines() if line.strip()]
        else:
            whole = load_json(text)
            found = whole if isinstance(whole, list) else [whole]
    for number, one in enumerate(found, start=1):
        place = str(path) if len(found) == 1 else f"{path}, result {number}"
        if not isinstance(one, Mapping):
            raise UserError(f"rt.analyze: {place}: must be an object of names and values, not {one!r}")
        yield ResultRow(values=_flat(one), place=place)


def _of_frame(frame: Any) -> list[ResultRow]:
    """A row each; one of mlflow.search_runs has its params and metrics under their own names."""
    rows = []
    for number, record in enumerate(frame.to_dict("records")):
        values = {str(name): None if _is_missing(value) else value for name, value in record.items()}
        is_runs = "run_id" in values and "status" in values
        values = {_bare(name): value for name, value in values.items()} if is_runs else values
        outcome = _STATUS.get(str(values.pop("status")), "finished") if is_runs else "finished"
        run_id = str(values.pop("run_id") or "") if is_runs else ""
        rows.append(ResultRow(values=_flat(values), place=f"row {number}", run_id=run_id, outcome=outcome))
    return rows


def _of_run(run: Any) -> ResultRow:
    """A run as MLflow's client gives it."""
    info, data = run.info, run.data
    return ResultRow(
        values={**{name: typed(text) for name, text in data.params.items()}, **data.metrics},
        place=f"run {info.run_id}",
        run_id=info.run_id,
        outcome=_STATUS.get(info.status, "running"),
        started_ms=info.start_time or 0,
        seconds=math.nan if not info.end_time else (info.end_time - info.start_time) / 1000.0,
    )


def _bare(name: str) -> str:
    first, _, rest = name.partition(".")
    return rest if first in ("params", "metrics") and rest else name


def _is_missing(value: Any) -> bool:
    """What a DataFrame has for a value that is not there: None, NaN, NA, NaT."""
    return value is None or (not isinstance(value, (list, dict, str)) and bool(value != value)) or repr(value) == "<NA>"


def _flat(values: Mapping[Any, Any], before: str = "") -> dict[str, Any]:
    """Nested names written out: {"config": {"lr": 0.1}} has config.lr."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[f"{before}{name}"] = value
    return flat
