"""Turn parameters that MLflow keeps as text into values, and find the factors among them.

Our sweeps and foreign runs are read by the same rules.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from rothamsted.analysis.values import Condition, Dataset, Factor
from rothamsted.space import Choice, Range, identity

_WORDS = {"true": True, "false": False, "none": None, "null": None}
MIN_LOG_RATIO = 30.0  # numbers above zero that span more than this are drawn on a log axis


def typed(text: str) -> Any:
    """Return a number, truth value, None or list if the text is one; else the text itself."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    if text.startswith("["):
        try:
            return json.loads(text.replace("'", '"').replace("(", "[").replace(")", "]"))
        except ValueError:
            return text
    return text


def typed_in(text: str, domain: Range | Choice) -> Any:
    """Return the value of a domain that was written as this text."""
    if isinstance(domain, Choice):
        return next((value for value in domain.values if str(value) == text), domain.own(typed(text)))
    return int(float(text)) if domain.is_integer else domain.own(float(text))


def shown(value: Any) -> str:
    """Return a value as labels show it. A text that reads as a number, a list or a truth value is quoted."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if not isinstance(typed(value), str | None) else value
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def short(value: Any) -> str:
    """Return a value as narrow tables show it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def label(values: Mapping[str, Any]) -> str:
    """Return a condition as one line."""
    return ", ".join(f"{name}={shown(value)}" for name, value in values.items()) or "all defaults"


def fixed_parameters(dataset: Dataset) -> dict[str, Any]:
    """Return the parameters that a sweep's file fixes, by name."""
    start = "fixed: "
    return {name.removeprefix(start): typed(text) for name, text in dataset.design.items() if name.startswith(start)}


def factors_of(conditions: Sequence[Condition], domains: Mapping[str, Range | Choice] | None = None) -> list[Factor]:
    """Return the factors of conditions: all parameters that differ or are in the search space.

    Args:
        conditions: The conditions.
        domains: The domains of a sweep; its log ranges become log factors. None: by the spread of the numbers.
    """
    names = list(domains) if domains is not None else list(dict.fromkeys(k for c in conditions for k in c.values))
    factors = []
    for name in names:
        values = [c.values[name] for c in conditions if name in c.values]
        is_numeric = bool(values) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        levels = _distinct(values)
        if is_numeric:
            levels = sorted(levels)
        factors.append(
            Factor(
                name=name,
                levels=tuple(levels),
                is_numeric=is_numeric,
                is_log=is_numeric and _is_log(levels, domains[name] if domains is not None else None),
            )
        )
    return factors


def _is_log(levels: Sequence[float], domain: Range | Choice | None) -> bool:
    if isinstance(domain, Range):
        return domain.log
    positive = bool(levels) and min(levels) > 0 and all(math.isfinite(level) for level in levels)
    return positive and max(levels) / min(levels) > MIN_LOG_RATIO


def _distinct(values: Sequence[Any]) -> list[Any]:
    """Distinct values in the order in which they first appear, 1 and 1.0 being one."""
    first: dict[Hashable, Any] = {}
    for value in values:
        first.setdefault(identity(value), value)
    return list(first.values())
