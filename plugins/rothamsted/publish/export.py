"""Export an analysis as JSON files for other programs: one entry for each condition, one folder for each replicate.

`aggregated_results.json` maps each condition to its parameters, its number of runs and all metrics with mean, std and
interval. `individual_results/CONDITION_run_N/` has config.json, with which the run can be made again, and results.json
with its metrics and their curves. A file of names can rename parameters, metrics, conditions and plots for an older
program. Numbers are written so that they are read back bit for bit.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.values import Analysis, Condition, ConditionSummary, Replicate, Series
from rothamsted.errors import StoreError, UserError
from rothamsted.publish.folder_names import folder_names
from rothamsted.yaml_text import load, read_text

AGGREGATED = "aggregated_results.json"
INDIVIDUAL = "individual_results"
METRIC = "{metric}"  # in the name of a file: the metric's name in the export
NO_CURVES: Mapping[str, Mapping[str, Series]] = {}
NO_CONFIGS: Mapping[str, str] = {}
_STATISTICS = {"mean": "mean", "std": "sd", "sem": "sem", "median": "median", "min": "min", "max": "max"}


@dataclass(frozen=True, kw_only=True)
class NamedPlot:
    """Describes a plot that is written under another name.

    Attributes:
        plot: Its name among the report's.
        x: Parameter along the horizontal axis; None: as the plot chooses.
        group: Parameter of the lines or rows; None: as the plot chooses.
        metrics: One file a metric; none: one of the objective.
    """

    plot: str
    x: str | None = None
    group: str | None = None
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Names:
    """Holds the names of an export.

    Attributes:
        condition: template of a condition's key with its parameters' (new) names in braces: "dim_{dim}_lr_{lr:.1f}";
            empty: the condition's label, "dim=8, lr=0.1".
        names: name of a parameter or metric -> name in the export; others keep theirs.
        plots: name of a file, with {metric} in it if there are several -> what is drawn, see `NamedPlot`.
    """

    condition: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    plots: Mapping[str, NamedPlot] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Return the name in the export."""
        return self.names.get(name, name)

    def keys(self, conditions: Sequence[Condition]) -> dict[int, str]:
        """Return condition number -> key. If rounding would make keys equal, they have their numbers in full.

        Raises:
            UserError: The template asks for what a condition does not have, cannot be filled, or gives a key twice.
        """
        found = {one.number: self._filled(self.condition, one) for one in conditions}
        in_full = re.sub(r"\{([^{}:!]+)[^{}]*\}", r"{\1}", self.condition)
        counts = Counter(key.casefold() for key in found.values())
        clashing = [one for one in conditions if counts[found[one.number].casefold()] > 1]
        for one in clashing:
            written = ", ".join(f"{name}={value!r}" for name, value in one.values.items())
            found[one.number] = self._filled(in_full, one) if in_full else written
        for key, n in Counter(found.values()).items():
            if n > 1:
                reason = f"{self.condition!r} gives {key!r} twice; tell conditions apart"
                raise UserError(f"export_names: condition: {reason}")
        return found

    def _filled(self, template: str, condition: Condition) -> str:
        if not template:
            return condition.label or str(condition.number)
        values = {self.of(name): value for name, value in condition.values.items()}
        try:
            return template.format_map(values)
        except (KeyError, ValueError, IndexError, AttributeError, TypeError) as error:
            raise UserError(
                f"export_names: condition: {self.condition!r} cannot be filled ({type(error).__name__}: {error}) from "
                f"{', '.join(values) or 'no parameters'}; use these names in braces"
            ) from error


def read_names(path: Path) -> Names:
    """Read a YAML or JSON file with `names`, `condition` and `plots`, each of them optional.

    Raises:
        UserError: It cannot be read, or has other keys or values.
    """
    try:
        found = load(read_text(path, f"export_names={path}", way_out="give a YAML or JSON file"))
    except yaml.YAMLError as error:
        raise UserError(f"export_names={path}: cannot be read: {error}") from error
    if not isinstance(found, dict) or set(found) - {"names", "condition", "plots"}:
        raise UserError(f"export_names={path}: takes the keys names, condition and plots, not {found!r}")
    names, condition = found.get("names") or {}, found.get("condition") or ""
    is_text = isinstance(names, dict) and all(isinstance(word, str) for pair in names.items() for word in pair)
    if not (is_text and isinstance(condition, str)):
        raise UserError(f"export_names={path}: names maps names to names, condition is text, not {found!r}")
    return Names(condition=condition, names=names, plots=_named_plots(found.get("plots") or {}, path))


def _named_plots(found: Any, path: Path) -> dict[str, NamedPlot]:
    plots = {}
    for file, one in found.items() if isinstance(found, dict) else [("plots", found)]:
        known = {"plot", "x", "group", "metrics"}
        is_text = isinstance(one, dict) and all(isinstance(one.get(key, ""), str) for key in ("plot", "x", "group"))
        if not (isinstance(one, dict) and is_text and set(one) <= known and "plot" in one):
            raise UserError(f"export_names={path}: plots: {file} takes plot, x, group and metrics, not {one!r}")
        metrics = one.get("metrics") or []
        if not isinstance(metrics, list) or (len(metrics) > 1 and METRIC not in str(file)):
            raise UserError(
                f"export_names={path}: plots: {file}: metrics is a list; {METRIC} in the name tells them apart"
            )
        plots[str(file)] = NamedPlot(**{**one, "metrics": tuple(map(str, metrics))})
    return plots


def export_of(analysis: Analysis, names: Names = Names()) -> dict[str, dict[str, Any]]:
    """Return for the key of each condition its parameters, n_runs, aggregated_metrics and individual_results.

    Statistics are those of the analysis, of the search's finished replicates; what does not exist (an interval of
    one value, NaN) is None. `objective` is the number that conditions are ranked by.

    Args:
        analysis: What was computed.
        names: What things are called.

    Raises:
        UserError: Two conditions or two metrics get one name.
    """
    members = members_of(analysis.dataset)
    keys = names.keys(analysis.dataset.conditions)
    entries: dict[str, dict[str, Any]] = {}
    for condition in analysis.dataset.conditions:
        key = keys[condition.number]
        finished = [one for one in members[condition.number] if one.outcome == "finished"]
        entries[key] = {
            **_renamed(condition.values, names),
            "condition_id": key,
            "n_runs": len(finished),
            "aggregated_metrics": _aggregated(analysis, condition, finished, names),
            "individual_results": [_individual(key, condition, one, names) for one in members[condition.number]],
        }
    return entries


def write_export(
    analysis: Analysis,
    folder: Path,
    names: Names = Names(),
    curves: Mapping[str, Mapping[str, Series]] = NO_CURVES,
    configs: Mapping[str, str] = NO_CONFIGS,
) -> Path:
    """Write `aggregated_results.json` and a folder for each replicate to a folder; returns the former's path.

    Args:
        analysis: What was computed.
        folder: Where to.
        names: What things are called.
        curves: Run -> metric -> curve, written into results.json.
        configs: Run -> the text of its config.json; of others it has what the sweep's file sets.

    Raises:
        StoreError: The folder cannot be written.
        UserError: See `export_of`.
    """
    entries = export_of(analysis, names)
    path = folder / AGGREGATED
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(_json(entries), encoding="utf-8")
        named = folder_names(entries)
        for condition, (key, entry) in zip(analysis.dataset.conditions, entries.items(), strict=True):
            replicates = members_of(analysis.dataset)[condition.number]
            for number, (one, result) in enumerate(zip(replicates, entry["individual_results"], strict=True)):
                own = folder / INDIVIDUAL / f"{named[key]}_run_{number}"
                own.mkdir(parents=True, exist_ok=True)
                own_curves = {names.of(name): _curve(series) for name, series in curves.get(one.run_id, {}).items()}
                (own / "results.json").write_text(_json({**result, "curves": own_curves}), encoding="utf-8")
                config = configs.get(one.run_id) or _json(_config(analysis, condition, one))
                (own / "config.json").write_text(config, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"export {folder}: cannot be written: {error.strerror}; give another folder") from error
    return path


def _config(analysis: Analysis, condition: Condition, one: Replicate) -> dict[str, Any]:
    """The settings of one run under their own names, nested: `--config` takes it."""
    seed = {"seed": int(one.seed) if one.seed.isdecimal() else one.seed}
    nested: dict[str, Any] = {}
    for name, value in {**analysis.dataset.fixed, **condition.values, **seed, **one.varied}.items():
        *parents, leaf = name.split(".")
        part = nested
        for parent in parents:
            below = part.setdefault(parent, {})
            part = below if isinstance(below, dict) else part
        part[leaf] = _plain(value)
    return nested


def _curve(series: Series) -> dict[str, list[Any]]:
    values = {"step": series.steps, "epoch": series.epochs, "seconds": series.seconds, "value": series.values}
    return {name: [_plain(value) for value in column.tolist()] for name, column in values.items()}


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
