"""An analysis as JSON files for other programs: one entry a condition, one file a replicate.

Apart from the tables because these nest: `aggregated_results.json` maps each condition to its parameters, its number
of runs and all metrics with mean, std and interval. A file of names gives parameters, metrics and conditions the names
that an older program looks for.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Analysis, Condition, ConditionSummary, Replicate
from rothamsted.errors import StoreError, UserError

AGGREGATED = "aggregated_results.json"
INDIVIDUAL = "individual_results"
_STATISTICS = {"mean": "mean", "std": "sd", "sem": "sem", "median": "median", "min": "min", "max": "max"}


@dataclass(frozen=True, kw_only=True)
class Names:
    """What an export calls things.

    Attributes:
        condition: template of a condition's key with its parameters' (new) names in braces: "dim_{dim}_lr_{lr:.1f}";
            empty: the condition's label, "dim=8, lr=0.1".
        names: name of a parameter or metric -> name in the export; others keep theirs.
    """

    condition: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """The name in the export."""
        return self.names.get(name, name)

    def key(self, condition: Condition) -> str:
        """The key of a condition.

        Raises:
            UserError: The template asks for what the condition does not have, or cannot be filled.
        """
        if not self.condition:
            return condition.label or str(condition.number)
        values = {self.of(name): value for name, value in condition.values.items()}
        try:
            return self.condition.format_map(values)
        except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
            raise UserError(
                f"export_names: condition: {self.condition!r} cannot be filled ({type(error).__name__}: {error}) from "
                f"{', '.join(values) or 'no parameters'}; use these names in braces"
            ) from error


def read_names(path: Path) -> Names:
    """Read a YAML or JSON file with `names` and `condition`, either of them optional.

    Raises:
        UserError: It cannot be read, or has other keys or values.
    """
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"export_names={path}: cannot be read: {error}") from error
    if not isinstance(found, dict) or set(found) - {"names", "condition"}:
        raise UserError(f"export_names={path}: takes the keys names and condition, not {found!r}")
    names, condition = found.get("names") or {}, found.get("condition") or ""
    is_text = isinstance(names, dict) and all(isinstance(word, str) for pair in names.items() for word in pair)
    if not (is_text and isinstance(condition, str)):
        raise UserError(f"export_names={path}: names maps names to names, condition is text, not {found!r}")
    return Names(condition=condition, names=names)


def export_of(analysis: Analysis, names: Names = Names()) -> dict[str, dict[str, Any]]:
    """Key of each condition -> its parameters, n_runs, aggregated_metrics and individual_results.

    Statistics are those of the analysis, of the search's finished replicates; what does not exist (an interval of
    one value, NaN) is None. `objective` is the number that conditions are ranked by.

    Raises:
        UserError: Two conditions or two metrics get one name.
    """
    members = members_of(analysis.dataset)
    entries: dict[str, dict[str, Any]] = {}
    for condition in analysis.dataset.conditions:
        key = names.key(condition)
        if key in entries:
            raise UserError(f"export_names: condition: {names.condition!r} gives {key!r} twice; tell conditions apart")
        finished = [one for one in members[condition.number] if one.outcome == "finished"]
        entries[key] = {
            **_renamed(condition.values, names),
            "condition_id": key,
            "n_runs": len(finished),
            "aggregated_metrics": _aggregated(analysis, condition, finished, names),
            "individual_results": [_individual(key, condition, one, names) for one in members[condition.number]],
        }
    return entries


def write_export(analysis: Analysis, folder: Path, names: Names = Names()) -> Path:
    """Write `aggregated_results.json` and a file for each replicate to a folder; returns the former's path.

    Raises:
        StoreError: The folder cannot be written.
        UserError: See `export_of`.
    """
    entries = export_of(analysis, names)
    path = folder / AGGREGATED
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(_json(entries), encoding="utf-8")
        for key, entry in entries.items():
            own = folder / INDIVIDUAL / re.sub(r"[^\w.=-]+", "_", key)
            own.mkdir(parents=True, exist_ok=True)
            for number, result in enumerate(entry["individual_results"]):
                (own / f"run_{number}.json").write_text(_json(result), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"export {folder}: cannot be written: {error.strerror}; give another folder") from error
    return path


def _aggregated(
    analysis: Analysis, condition: Condition, finished: Sequence[Replicate], names: Names
) -> dict[str, dict[str, Any]]:
    by_metric = {name: (rows, name) for name, rows in analysis.metrics.items()} | {
        "objective": (analysis.objective, "")
    }
    found: dict[str, dict[str, Any]] = {}
    for name, (rows, metric) in by_metric.items():
        if names.of(name) in found:
            raise UserError(f"export_names: names: two metrics become {names.of(name)!r}; give each its own")
        summary = next(row for row in rows if row.condition == condition.number)
        values = [one.metrics.get(metric, math.nan) if metric else one.objective for one in finished]
        found[names.of(name)] = _statistics(summary, values)
    return found


def _statistics(summary: ConditionSummary, values: Sequence[float]) -> dict[str, Any]:
    interval = summary.interval
    return {
        **{name: _plain(summary.statistics.get(own, math.nan)) for name, own in _STATISTICS.items()},
        "ci_lower": _plain(interval.low) if interval else None,
        "ci_upper": _plain(interval.high) if interval else None,
        "n": summary.n,
        "values": [_plain(value) for value in values],
    }


def _individual(key: str, condition: Condition, one: Replicate, names: Names) -> dict[str, Any]:
    return {
        **_renamed(condition.values, names),
        **{names.of(name): _plain(value) for name, value in one.metrics.items()},
        "condition_id": key,
        "run_id": one.run_id,
        "seed": int(one.seed) if one.seed.isdecimal() else one.seed,
        "outcome": one.outcome,
        "objective": _plain(one.objective),
    }


def _renamed(values: Mapping[str, Any], names: Names) -> dict[str, Any]:
    return {names.of(name): _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, allow_nan=False) + "\n"
