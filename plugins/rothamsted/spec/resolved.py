"""Turn a sweep into plain values, and find the differences between two of them.

They are compared when a sweep goes on. `recorded` is the part that is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rothamsted.space import domain_to_plain
from rothamsted.spec.schema import (
    CLUSTER_KEYS,
    DEVICE_KEYS,
    FILE_KEYS,
    PROJECT_EXECUTION_KEYS,
    STUDY_EXECUTION_KEYS,
    Sweep,
)

# Keys that say where and how a sweep runs, not what it measures: they may change when it goes on.
PLACE_KEYS = frozenset({"execution", "storage", "experiment", "models"})

# Keys whose empty value says nothing: a sweep that was recorded before there were any reads the same.
LEFT_OUT = frozenset({"constraints", "enqueue", "stages", "undeclared"})

_ABSENT = object()


def resolved(sweep: Sweep) -> dict[str, Any]:
    """Return the sweep with all its defaults as values that JSON and YAML can hold, always in the same order.

    Optional keys without a value are left out. Seeds are listed; of a race only the first one. `from_resolved` makes
    the sweep again.
    """
    plain = sweep.model_dump(mode="json", exclude={"space", "pruner"}, exclude_none=True, by_alias=True)
    plain["parameters"] = dict(sweep.parameters)
    plain["objective"] = _objectives(sweep)
    plain["replicates"] = _replicates(sweep, plain["replicates"])
    if sweep.pruner is not None:
        plain["pruner"] = sweep.pruner.plain
    plain["stages"] = [_stage(sweep, number) for number in range(len(sweep.stages))]
    if sweep.confirm is not None:
        seeds = list(sweep.confirm_seeds)
        plain["confirm"] = {"keep": sweep.confirm.keep, "replicates": len(seeds), "seeds": seeds}
    plain["execution"] = _execution(sweep, plain["execution"])
    for key, usual in (("test", "auto"), ("best", "leaders")):
        if plain["statistics"][key] == usual:
            del plain["statistics"][key]  # a sweep that was recorded before there was this key reads the same
    plain["space"] = {name: domain_to_plain(domain) for name, domain in sweep.space.items()}
    return {key: plain[key] for key in FILE_KEYS if key in plain and not (key in LEFT_OUT and not plain[key])}


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return what has changed between two resolved sweeps, as lines such as `space.gamma.high: 10.0 -> 100.0`.

    The order of the parameters in the space counts: it is the order of the grid and of the coordinates.
    """
    lines = list(_changes(old, new, ""))
    orders = [list(spec.get("space") or {}) for spec in (old, new)]
    if sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1]:
        lines.append(f"order of space: {', '.join(orders[0])} -> {', '.join(orders[1])}")
    return lines


def _objectives(sweep: Sweep) -> Any:
    """One objective as a mapping, several as a list; a score without the metric that its name gives it."""
    plain = [
        objective.model_dump(
            mode="json",
            exclude_none=True,
            exclude={*({"metric"} if objective.expression else ()), *({"over"} if objective.over == "mean" else ())},
        )  # a sweep that was recorded before there was `over` reads the same
        for objective in sweep.objectives
    ]
    return plain[0] if len(plain) == 1 else plain


def _stage(sweep: Sweep, number: int) -> dict[str, Any]:
    stage = sweep.stages[number]
    if number == 0:
        return {"parameters": dict(stage.parameters)}
    plain = {"keep": stage.keep, "by": stage.by, "parameters": dict(stage.parameters), "resume": stage.resume}
    if stage.replicates is not None:
        seeds = list(sweep.stage_seeds(number))
        plain["replicates"] = {"count": len(seeds), "seeds": seeds}
    return plain


def _execution(sweep: Sweep, plain: Mapping[str, Any]) -> dict[str, Any]:
    """What only foreign projects, studies or clusters have stands there where it is not the default."""
    given = sweep.execution.model_dump(mode="json", exclude_defaults=True)
    unsaid = {*PROJECT_EXECUTION_KEYS, *STUDY_EXECUTION_KEYS, *CLUSTER_KEYS, *DEVICE_KEYS} - set(given)
    return {key: value for key, value in plain.items() if key not in unsaid}


def _replicates(sweep: Sweep, plain: Mapping[str, Any]) -> dict[str, Any]:
    seeds = sweep.replicates.values
    if sweep.replicates.racing is not None:
        return {"first_seed": seeds[0], "racing": plain["racing"], **_vary(sweep)}
    if sweep.replicates.crossed:
        return {"count": len(seeds), "first_seed": seeds[0], **_vary(sweep)}
    return {"count": len(seeds), "seeds": list(seeds), **_vary(sweep)}


def _vary(sweep: Sweep) -> dict[str, Any]:
    """What varies; left out where the file does not say, as in sweeps that were recorded before it could."""
    vary = sweep.replicates.vary
    return {} if vary is None else {"vary": dict(vary) if isinstance(vary, dict) else list(vary)}


def _changes(old: Any, new: Any, key: str) -> list[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*old, *(name for name in new if name not in old)]
        return [
            line
            for name in names
            for line in _changes(old.get(name, _ABSENT), new.get(name, _ABSENT), f"{key}.{name}" if key else str(name))
        ]
    shown = _shown(old), _shown(new)
    return [f"{key}: {shown[0]} -> {shown[1]}"] if shown[0] != shown[1] else []


def _shown(value: Any) -> str:
    return "absent" if value is _ABSENT else json.dumps(value, sort_keys=True, ensure_ascii=False)
