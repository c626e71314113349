"""Say what was added to a sweep and when, for its tag, its report and the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rothamsted.wording import count


def growth_line(entry: Mapping[str, Any]) -> str:
    """Return a line such as '2026-11-28 16:40 UTC: replicates.seeds: [0, 1] -> [0, 1, 2]'."""
    return f"{_when(entry)}: {', '.join(entry['changes'])}"


def growth_marks(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence or two for each growth: what existed, what was added, and what that means for the result."""
    return [_mark(entry) for entry in entries]


def _mark(entry: Mapping[str, Any]) -> str:
    n_replicates = entry["n_replicates"]
    was_there = f"{count(entry['n_conditions'], 'condition')} and {count(n_replicates, 'ended replicate')}"
    said = [f"This sweep grew on {_when(entry)}, when it had {was_there}: {'; '.join(entry['changes'])}."]
    said += entry["remarks"]
    if entry["has_results"]:
        said.append("Whoever decided that could see results; intervals and verdicts do not account for it.")
    return " ".join(said)


def _when(entry: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(entry["at"], UTC).strftime("%Y-%m-%d %H:%M UTC")
