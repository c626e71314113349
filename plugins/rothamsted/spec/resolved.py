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
PLACE_KEYS = frozenset({"execution", "storage", "experiment"})

_ABSENT = object()


def resolved(sweep: Sweep) -> dict[str, Any]:
    """The sweep with all its defaults as values that JSON and YAML can hold, always in the same order.

    Absent optional keys are left out; the seeds are written out. `from_resolved` gives the sweep back.
    """
    plain = sweep.model_dump(mode="json", exclude={"space"}, exclude_none=True)
    plain["parameters"] = dict(sweep.parameters)
    plain["replicates"] = {"count": len(sweep.replicates.values), "seeds": list(sweep.replicates.values)}
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

    More trials, a longer timeout or none, and whatever concerns execution, storage and experiment.
    """
    kept = [{key: spec[key] for key in spec if key not in (*PLACE_KEYS, "trials", "timeout")} for spec in (old, new)]
    if difference(*kept):
        return False
    before, after = old.get("trials"), new.get("trials")
    if before != after and (before is None or after is None or after < before):
        return False
    before, after = old.get("timeout"), new.get("timeout")
    return before == after or after is None or (before is not None and after > before)


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
