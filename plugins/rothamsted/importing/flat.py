"""Flatten nested configurations into params, and nested results into metrics, by one rule for every source."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from rothamsted.caps import MOST_DEPTH, MOST_IMPORTED_NAMES

_NO_VALUES = ("", "none", "null", "na", "n/a", "<na>")
_NOTHING = object()


def flat_texts(nested: Mapping[Any, Any], notes: list[str] | None = None) -> dict[str, str]:
    """Return a configuration as MLflow keeps params: dotted names, and the text of each value as Python writes it.

    Args:
        nested: mappings of plain values, as YAML and JSON have them; lists stay whole.
        notes: gets a line if there are too many.

    Example:
        >>> flat_texts({"optimizer": {"lr": 0.1}, "layers": [64, 64], "seed": None})
        {'optimizer.lr': '0.1', 'layers': '[64, 64]', 'seed': 'None'}
    """
    found: dict[str, str] = {}
    for name, value in _leaves(nested, ".", "", 0):
        if len(found) == MOST_IMPORTED_NAMES:
            if notes is not None:
                notes.append(f"more than {MOST_IMPORTED_NAMES} params; the others are left out")
            break
        found[name] = value if isinstance(value, str) else str(value)
    return found


def flat_numbers(nested: Mapping[Any, Any]) -> dict[str, float]:
    """Return the numbers of nested results, with names joined by `/`. Texts, truth values and lists are left out.

    Example:
        >>> flat_numbers({"loss": 0.5, "info": {"n": 3, "host": "a"}, "done": True})
        {'loss': 0.5, 'info/n': 3.0}
    """
    pairs = ((name, number_of(value)) for name, value in _leaves(nested, "/", "", 0))
    return {name: value for name, value in pairs if value is not None}


def rows_of_columns(nested: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """Return the rows of an object of lists, as Keras keeps a history; empty: it has no lists.

    A list that is shorter ends earlier. What stands beside the lists is in the last row.

    Example:
        >>> rows_of_columns({"train": {"loss": [3, 2]}, "val": {"loss": [4]}, "best": 2})
        [{'train/loss': 3, 'val/loss': 4}, {'train/loss': 2, 'best': 2}]
    """
    leaves = dict(_leaves(nested, "/", "", 0))
    lists = {name: one for name, one in leaves.items() if isinstance(one, list) and one}
    rows = [
        {name: cell for name, cell in zip(lists, cells) if cell is not _NOTHING}
        for cells in zip_longest(*lists.values(), fillvalue=_NOTHING)
    ]
    if rows:
        rows[-1] |= {name: one for name, one in leaves.items() if not isinstance(one, list)}
    return rows


def is_nothing(value: Any) -> bool:
    """Return whether a value stands for a missing one, as JSON, R and spreadsheets write it.

    Example:
        >>> is_nothing(None), is_nothing("NA"), is_nothing("nan"), is_nothing(0)
        (True, True, False, False)
    """
    return value is None or (isinstance(value, str) and value.strip().lower() in _NO_VALUES)


def number_of(value: Any) -> float | None:
    """Return a number of JSON, YAML or Parquet, or of its text; None for all else, also for `1_000` and truth values.

    Example:
        >>> number_of("1e-3"), number_of(" NaN "), number_of("1_0"), number_of(True)
        (0.001, nan, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, str) and (not value.isascii() or "_" in value):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:  # a whole number that no float holds
        return math.copysign(math.inf, int(value))


def _leaves(value: Mapping[Any, Any], between: str, before: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, one in value.items():
        name = f"{before}{key}"
        if isinstance(one, Mapping) and one and depth < MOST_DEPTH:
            yield from _leaves(one, between, f"{name}{between}", depth + 1)
        else:
            yield name, one
