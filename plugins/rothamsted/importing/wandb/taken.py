"""Convert a W&B run from its server or a folder: names, numbers and times."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from rothamsted.importing.flat import flat_texts
from rothamsted.importing.values import ImportedRun
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.wording import plain_count, verb

_BOOKKEEPING = frozenset({"_step", "_timestamp", "_runtime", "_wandb"})
_INTERNAL = frozenset({"_wandb", "wandb_version"})  # keys of a config that are not the user's
MIRROR = "rothamsted"  # of the config of a run that `rothamsted.mirroring` wrote
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}  # as W&B's server writes them
_MOST_SECONDS = 1e11  # since 1970: five thousand years


@dataclass(kw_only=True)
class WandbRun:
    """Holds a run without its history.

    Attributes:
        config, summary: nested, as W&B has them.
        state: how it ended; None: unknown.
        start_ms, first_ms, last_ms: times of its start, first and last row, milliseconds since 1970, UTC; 0: not known.
        n_rows: number of rows of its history.
        revision: see `ImportedRun`.
        runtime_seconds: its duration; None: not known.
    """

    run_id: str = ""
    project: str = ""
    entity: str = ""
    name: str = ""
    group: str = ""
    job_type: str = ""
    notes: str = ""
    sweep: str = ""
    user: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    state: RunStatus | None = None
    start_ms: int = 0
    first_ms: int = 0
    last_ms: int = 0
    n_rows: int = 0
    revision: str = ""
    runtime_seconds: float | None = None

    @property
    def source_id(self) -> str:
        """Return the id in the source, the same from the server and from a folder."""
        return f"wandb:{self.project}/{self.run_id}"  # a folder need not say of whom the project is

    def saw(self, seconds: Any) -> None:
        """Note the time of a row, in seconds since 1970."""
        self.n_rows += 1
        if _is_number(seconds) and 0 < seconds < _MOST_SECONDS:
            at_ms = int(seconds * 1000)
            self.first_ms, self.last_ms = min(self.first_ms or at_ms, at_ms), max(self.last_ms, at_ms)

    def after(self, earlier: Sequence[WandbRun]) -> WandbRun:
        """Return these facts, with those that only earlier sessions of the run had."""
        config: dict[str, Any] = {}
        summary: dict[str, Any] = {}
        for one in [*earlier, self]:
            config |= one.config
            summary |= one.summary
        self.config, self.summary = config, summary
        every = [*earlier, self]
        for name in ("entity", "name", "group", "job_type", "notes", "sweep", "tags"):  # what a later one does not say
            setattr(
                self, name, next((said for one in reversed(every) if (said := getattr(one, name))), getattr(self, name))
            )
        self.first_ms = min((one.first_ms for one in every if one.first_ms), default=0)
        self.last_ms = max(one.last_ms for one in every)
        self.start_ms = min((one.start_ms for one in every if one.start_ms), default=0)
        self.n_rows = sum(one.n_rows for one in every)
        self.revision = " ".join(one.revision for one in every)
        return self


def imported(facts: WandbRun, points: Iterable[MetricPoint], notes: list[str]) -> ImportedRun:
    """Return the run as an `ImportedRun`."""
    config = {key: value for key, value in facts.config.items() if key not in _INTERNAL}
    ours = config.pop(MIRROR) if _is_from_here(config.get(MIRROR)) else {}
    if not facts.n_rows:
        notes.append("it has no history: nothing was logged step by step")
    start_ms = min((at for at in (facts.start_ms, facts.first_ms) if at), default=0)
    end_ms = facts.last_ms or (facts.start_ms + round(1000 * facts.runtime_seconds) if facts.runtime_seconds else None)
    tags = {
        "wandb.group": facts.group,
        "wandb.job_type": facts.job_type,
        "wandb.tags": json.dumps(facts.tags, ensure_ascii=False) if facts.tags else "",
        "wandb.sweep": facts.sweep,
        "wandb.user": facts.user,
        "wandb.id": facts.run_id,
        "wandb.project": f"{facts.entity}/{facts.project}" if facts.entity else facts.project,
        **{f"wandb.mirror_of.{key}": str(value) for key, value in ours.items()},
    }
    left_out = sorted(name for name, value in _flat(facts.summary) if _is_media(value))
    if left_out:
        some = ", ".join(left_out[:3]) + (" …" if len(left_out) > 3 else "")
        values = plain_count(len(left_out), "logged value")
        are = verb(len(left_out), "is not a number and is", "are not numbers and are")
        notes.append(f"{values} {are} left out: {some}")
    texts = {f"wandb.summary.{name}": value for name, value in _flat(facts.summary) if isinstance(value, str)}
    numbers = {name: value for name, value in _flat(facts.summary) if name not in _BOOKKEEPING}
    return ImportedRun(
        source_id=facts.source_id,
        name=facts.name or facts.run_id,
        params=flat_texts(config, notes),
        points=points,
        summary={name: float(value) for name, value in numbers.items() if _is_number(value)},
        tags={**{key: text for key, text in tags.items() if text}, **_no_numbers(texts)},
        description=facts.notes,
        start_ms=start_ms,
        end_ms=None if facts.state is RunStatus.RUNNING else end_ms,
        state=facts.state or RunStatus.KILLED,
        notes=notes,
        revision=facts.revision,
    )


def points_of_row(row: Mapping[str, Any], facts: WandbRun) -> Iterator[MetricPoint]:
    """Yield the numbers of one row of a history, at its step and time."""
    step, seconds = row.get("_step"), row.get("_timestamp")
    if not _is_number(step) or not abs(step) < 2**63:
        return
    at_ms = int(seconds * 1000) if _is_number(seconds) and 0 < seconds < _MOST_SECONDS else facts.start_ms
    for name, value in _flat(row):
        number = _WORDS.get(value, value) if isinstance(value, str) else value
        if name not in _BOOKKEEPING and _is_number(number):
            yield MetricPoint(name, float(number), at_ms, int(step))


def parsed(text: str) -> Any:
    """Return a JSON value, also NaN and Infinity; None if it is not JSON or nested too deeply."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _flat(values: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Dotted name -> value, as W&B's pages name nested ones; pictures, tables and so on stay whole."""
    for key, value in values.items():
        name = f"{before}{key}"
        if key == "_wandb":
            continue
        if isinstance(value, dict) and not _is_media(value) and depth < 20:
            yield from _flat(value, f"{name}.", depth + 1)
        else:
            yield name, value


def _no_numbers(texts: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text not in _WORDS and text}


def _is_from_here(value: Any) -> bool:
    """Whether a sweep of ours was mirrored: its place there is no parameter that was trained with."""
    return isinstance(value, dict) and "mlflow_run_id" in value


def _is_media(value: Any) -> bool:
    return isinstance(value, dict) and "_type" in value


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
