"""A sweep as plain values, and what has changed between two of them.

Apart from loading: this is what is recorded, digested and compared when a sweep goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from rothamsted.space import domain_to_plain
from rothamsted.spec.schema import Sweep

# Keys that say where and how a sweep runs, not what it measures: they may change when it goes on.
PLACE_KEYS = frozenset({"execution", "storage", "experiment", "models"})

_ABSENT = object()


def resolved(sweep: Sweep) -> dict[str, Any]:
    """The sweep with all its defaults as values that JSON and YAML can hold, always in the same order.

    Absent optional keys are left out; the seeds are written out, those of a race as its first. `from_resolved`
    gives the sweep back.
    """
    plain = sweep.model_dump(mode="json", exclude={"space"}, exclude_none=True)
    plain["parameters"] = dict(sweep.parameters)
    plain["replicates"] = _replicates(sweep, plain["replicates"])
    if sweep.confirm is not None:
        seeds = list(sweep.confirm_seeds)
        plain["confirm"] = {"keep": sweep.confirm.keep, "replicates": len(seeds), "seeds": seeds}
    plain["space"] = {name: domain_to_plain(domain) for name, domain in sweep.space.items()}
    return {key: plain[key] for key in Sweep.model_fields if key in plain}


def digest(sweep: Sweep) -> str:
    """SHA-256 of the resolved sweep, in hex: equal digests, equal sweeps."""
    text = json.dumps(resolved(sweep), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def seeds_of(sweep: Sweep) -> tuple[int, ...]:
    """The seeds of the replicates: the same in every condition, so that comparisons are paired."""
    return sweep.replicates.values


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What has changed between two resolved sweeps, as lines such as `space.gamma.high: 10.0 -> 100.0`.

    The order of the parameters in the space counts: it is the order of the grid and of the coordinates.
    """
    lines = list(_changes(old, new, ""))
    orders = [list(spec.get("space") or {}) for spec in (old, new)]
    if sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1]:
        lines.append(f"order of space: {', '.join(orders[0])} -> {', '.join(orders[1])}")
    return lines


def grown_only(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a sweep of the old values can go on with the new: only the budget grew, or its place changed.

    More trials, a longer timeout or none, a confirmation where there was none or of more conditions, and
    whatever concerns execution, storage, experiment and models. A race keeps its trials: the bound on its error holds
    for the conditions and the looks that it began with.
    """
    may_grow = (*PLACE_KEYS, "trials", "timeout", "confirm")
    if difference(*({key: spec[key] for key in spec if key not in may_grow} for spec in (old, new))):
        return False
    before, after = old.get("trials"), new.get("trials")
    is_race = "racing" in new.get("replicates", {})
    if before != after and (is_race or before is None or after is None or after < before):
        return False
    before, after = old.get("confirm"), new.get("confirm")
    if before is not None and (after is None or after["keep"] < before["keep"] or after["seeds"] != before["seeds"]):
        return False
    before, after = old.get("timeout"), new.get("timeout")
    return before == after or after is None or (before is not None and after > before)


def _replicates(sweep: Sweep, plain: Mapping[str, Any]) -> dict[str, Any]:
    seeds = sweep.replicates.values
    if sweep.replicates.racing is not None:
        return {"first_seed": seeds[0], "racing": plain["racing"]}
    return {"count": len(seeds), "seeds": list(seeds)}


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
