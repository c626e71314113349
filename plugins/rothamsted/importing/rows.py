"""Read rows of CSV, JSON lines and JSON one by one from files of any size. Each fault is one line with the file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rothamsted.caps import MOST_OF_HISTORY, MOST_OF_LINE
from rothamsted.errors import DataError
from rothamsted.given_files import open_given, reading
from rothamsted.importing.columns import is_metric_name
from rothamsted.importing.flat import rows_of_columns
from rothamsted.importing.folders import WAY_OUT, size_of
from rothamsted.yaml_text import load_json

Row = Mapping[str, Any]
_HEAD = 1 << 16  # characters by which a dialect is told
_DELIMITERS = ",;\t"
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_OTHER_TEXTS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"PK\x03\x04": "an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
}


@dataclass(frozen=True, kw_only=True)
class CsvForm:
    """Describes how a CSV file is written: separator, names of columns, lines before them."""

    delimiter: str
    columns: Sequence[str]
    n_before: int


def rows_of(path: Path, notes: list[str], *, as_kind: str = "") -> Iterator[Row]:
    """Yield the rows of a history: `.csv` and `.tsv` with texts, `.jsonl` and `.json` with their values.

    Args:
        path: the file.
        as_kind: kind of file, such as `.jsonl`, if its name does not say it.
        notes: gets a line if the last row is cut off.

    Raises:
        DataError: it is damaged, too large, or not a table.
    """
    if size_of(path) > MOST_OF_HISTORY:
        raise DataError(f"{path}: has more than {MOST_OF_HISTORY} bytes; split it")
    kind = as_kind or path.suffix
    if kind in (".jsonl", ".ndjson"):
        yield from _json_lines(path, notes)
    elif kind == ".json":
        yield from _json(path, notes)
    else:
        yield from csv_rows(path, csv_form(path), notes)


def csv_form(path: Path) -> CsvForm:
    """Find how a CSV file of pandas, Excel, R or another program is written: by comma, semicolon or tab.

    Raises:
        DataError: it is not CSV in UTF-8, has decimal commas, or two columns with one name.
    """
    with _text(path) as file, reading(path, way_out=WAY_OUT):
        text = file.read(_HEAD)
        lines = text.splitlines()[: None if len(text) < _HEAD else -1]
        n_before = 0
        if lines and re.fullmatch(r"sep=.", lines[0]):  # Excel's own first line
            delimiter, n_before = lines[0][-1], 1
        else:
            delimiter = max(_DELIMITERS, key=lambda one: _n_cells(lines, one))
        sample = list(csv.reader(lines[n_before : n_before + 50], delimiter=delimiter))
    if not sample or not any(cell.strip() for cell in sample[0]):
        raise DataError(f"{path}: is empty; {WAY_OUT}")
    columns = [cell.strip() for cell in sample[0]]
    twice = [name for name, n in Counter(columns).items() if n > 1 and name]
    if twice:
        raise DataError(f"{path}: has two columns called '{twice[0]}'; rename one")
    for row in sample[1:]:
        for name, cell in zip(columns, row):
            is_list = delimiter == "," and not is_metric_name(name)  # "64,64" in quotes: the widths of two layers
            if _DECIMAL_COMMA.fullmatch(cell.strip()) and not is_list:
                raise DataError(f"{path}: column '{name}' has decimal commas ({cell.strip()}); save it with points")
    return CsvForm(delimiter=delimiter, columns=columns, n_before=n_before)


def csv_rows(path: Path, form: CsvForm, notes: list[str]) -> Iterator[Row]:
    """Yield the rows of a CSV file as texts by column, without empty cells and columns without a name."""
    n_columns, late = len(form.columns), None

    def uneven(line: int, n_cells: int) -> DataError:
        return DataError(f"{path}: line {line} has {n_cells} cells, and there are {n_columns} columns; correct it")

    with _text(path) as file, reading(path, way_out=WAY_OUT):
        for _ in range(form.n_before):
            file.readline()
        cells_of = csv.reader(file, delimiter=form.delimiter)
        next(cells_of, None)
        for cells in cells_of:
            if late is not None:
                raise uneven(*late)
            if not cells:
                continue
            if len(cells) > n_columns and any(cells[n_columns:]):
                raise uneven(cells_of.line_num, len(cells))
            if len(cells) < n_columns:
                late = (cells_of.line_num, len(cells))  # the last line of a process that was killed, or a fault
                continue
            yield {name: cell.strip() for name, cell in zip(form.columns, cells) if name and cell.strip()}
    if late is not None:
        notes.append(f"{path.name}: its last line is cut off and left out")


def _json_lines(path: Path, notes: list[str]) -> Iterator[Row]:
    broken: tuple[int, str] | None = None
    with open_given(path, way_out=WAY_OUT) as file, reading(path, way_out=WAY_OUT):
        number = 0
        while line := file.readline(MOST_OF_LINE + 1):
            number += 1
            if broken is not None:
                raise DataError(f"{path}: line {broken[0]} is not JSON ({broken[1]}); correct it")
            if len(line) > MOST_OF_LINE:
                raise DataError(f"{path}: line {number} has more than {MOST_OF_LINE} bytes; {WAY_OUT}")
            if not line.strip():
                continue
            try:
                row = load_json(line.decode("utf-8-sig" if number == 1 else "utf-8"))
            except (ValueError, UnicodeDecodeError) as error:
                if isinstance(error, UnicodeDecodeError) and line.endswith(b"\n"):
                    raise
                broken = (number, getattr(error, "msg", None) or str(error))
                continue
            if not isinstance(row, dict):
                raise DataError(f"{path}: line {number} must be an object, and is {type(row).__name__}; correct it")
            yield row
    if broken is not None:
        notes.append(f"{path.name}: its last line is cut off and left out")


def _json(path: Path, notes: list[str]) -> Iterator[Row]:
    """A list of objects, an object of lists, or one object: the last values."""
    found = read_json(path)
    if isinstance(found, dict):
        whole = found
        below = (
            found[key] for key in ("history", "rows", "data") if found.get(key) and isinstance(found[key], list | dict)
        )
        found = next(below, found)
        if isinstance(found, dict):
            found = rows_of_columns(found) or [whole]
    if not isinstance(found, list):
        raise DataError(f"{path}: must hold a list of objects, and is {type(found).__name__}; {WAY_OUT}")
    for number, row in enumerate(found):
        if not isinstance(row, dict):
            raise DataError(f"{path}: item {number} must be an object, and is {type(row).__name__}; {WAY_OUT}")
        yield row


def read_json(path: Path, *, most: int = MOST_OF_LINE * 16) -> Any:
    """Read the values of a JSON file.

    Raises:
        DataError: it is missing, too large, or not JSON in UTF-8; the message says where it ends or breaks.
    """
    with open_given(path, way_out=WAY_OUT) as file, reading(path, way_out=WAY_OUT):
        content = file.read(most + 1)
        if len(content) > most:
            raise DataError(f"{path}: has more than {most} bytes, and JSON is read whole; write JSON lines (.jsonl)")
        text = content.decode("utf-8-sig")
        try:
            return load_json(text)
        except json.JSONDecodeError as error:
            is_cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
            cut = "is cut off" if is_cut else "is not JSON"
            raise DataError(f"{path}: {cut} at line {error.lineno} ({error.msg}); {WAY_OUT}") from None


def _n_cells(lines: Sequence[str], delimiter: str) -> int:
    """How many columns a delimiter gives; 1 where its lines do not agree, the last one apart."""
    counts = [len(row) for row in csv.reader(lines[:20], delimiter=delimiter) if row]
    whole = counts[:-1] if len(counts) > 2 else counts[:1]
    return counts[0] if counts and len(set(whole)) == 1 else 1


def _text(path: Path) -> TextIO:
    """A text file in UTF-8, opened once its first bytes are known to be no other kind of file."""
    file = open_given(path, way_out=WAY_OUT)
    start = file.peek(4)[:4]
    for magic, kind in _OTHER_TEXTS.items():
        if start.startswith(magic):
            file.close()
            raise DataError(f"{path}: is {kind}; save it as CSV in UTF-8")
    return io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
