"""Decide whether a started sweep may go on with another file: what has grown, and what is refused and why.

A change that would give finished replicates another meaning is refused. Nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rothamsted.catalog import SAMPLERS
from rothamsted.spec.grown_space import SpaceGrowth, growth_of_space
from rothamsted.spec.recorded import recorded
from rothamsted.spec.resolved import PLACE_KEYS, difference
from rothamsted.spec.schema import Sweep

MAY_CHANGE = frozenset({*PLACE_KEYS, "promote", "log", "timeout"})  # nothing that is measured depends on them
SCORING = ("objective", "constraints")  # keys whose change gives finished replicates other scores


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Says how far a sweep is.

    Attributes:
        has_results: a replicate has a result: it finished, diverged or was pruned.
        has_confirmed: replicates of its confirmation exist.
        has_next_stage: the conditions of its next stage are decided.
        has_models: models of finished replicates are logged.
    """

    has_results: bool = True
    has_confirmed: bool = True
    has_next_stage: bool = True
    has_models: bool = True


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Says what was added to a sweep that goes on, and what is refused.

    Attributes:
        refused: `key: old -> new: reason`, one for each change that would give finished results another meaning.
        changes: `key: old -> new`, for all that has grown or is measured differently.
        remarks: sentences that a reader of the result must know about the changes.
        is_rescored: finished replicates get new scores from what they have logged.
        is_wider: the space has other bounds or more values.
    """

    refused: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    is_rescored: bool = False
    is_wider: bool = False

    @property
    def is_structural(self) -> bool:
        """Return whether workers with the old file would do the wrong thing."""
        return bool(self.changes) and not all(line.startswith(("trials:", "confirm")) for line in self.changes)


def growth(old: Sweep, new: Sweep, begun: Begun) -> Growth:
    """Return what has grown between two files of a sweep, and what is refused."""
    before, after = _plain(old), _plain(new)
    refused, changes = _timeout(old, new), []
    of_space = growth_of_space(old, new)
    for key in [*before, *(key for key in after if key not in before)]:
        lines = difference(*({key: plain[key]} if key in plain else {} for plain in (before, after)))
        if key in MAY_CHANGE or not lines:
            continue
        changes += [line for line in lines if not line.startswith(("replicates.count:", "confirm.replicates:"))]
        reason = of_space.reason or _later(old, begun) if key == "space" else _RULES.get(key, _fixed)(old, new, begun)
        refused += [f"{lines[0]}{f' (and {len(lines) - 1} more)' if lines[1:] else ''}: {reason}"] if reason else []
    is_rescored = begun.has_results and any(before.get(key) != after.get(key) for key in SCORING)
    return Growth(
        refused=tuple(refused),
        changes=tuple(changes),
        remarks=tuple(_remarks(old, of_space, is_rescored=is_rescored)),
        is_rescored=is_rescored,
        is_wider=before["space"] != after["space"],
    )


def _plain(sweep: Sweep) -> dict[str, Any]:
    return recorded(sweep)


def _remarks(old: Sweep, of_space: SpaceGrowth, *, is_rescored: bool) -> list[str]:
    """What the conditions that were there owe to the old file."""
    said = []
    if of_space.is_wider and old.sampler.name not in ("grid", "exhaustive"):
        said.append("Earlier conditions were proposed in the narrower space.")
    if is_rescored and SAMPLERS[old.sampler.name].adaptive:
        said.append(
            "Earlier conditions were proposed by the old scores; after that the sampler was told the new scores."
        )
    return said


# ---- one rule a key: why a change is refused; empty where it is taken ----


def _timeout(old: Sweep, new: Sweep) -> list[str]:
    if new.timeout is None or (old.timeout is not None and new.timeout >= old.timeout):
        return []
    before = "absent" if old.timeout is None else f"{old.timeout:g}"
    return [f"timeout: {before} -> {new.timeout:g}: it may only grow"]


def _fixed(old: Sweep, new: Sweep, begun: Begun) -> str:
    return "it may not change once a sweep has begun"


def _later(old: Sweep, begun: Begun) -> str:
    """Why conditions and replicates of a sweep stay as they are; empty: they may grow."""
    if old.replicates.racing is not None:
        return "the error rate of a race holds only for the conditions and looks that it began with"
    if begun.has_next_stage and old.stages:
        return "the next stage has begun with the best of the earlier conditions"
    return ""


def _trials(old: Sweep, new: Sweep, begun: Begun) -> str:
    if old.trials is None or new.trials is None:
        return _fixed(old, new, begun)
    return _later(old, begun) or ("it may only grow" if new.trials < old.trials else "")


def _replicates(old: Sweep, new: Sweep, begun: Begun) -> str:
    seeds, more = old.replicates.values, new.replicates.values
    if later := _later(old, begun):
        return later
    if new.replicates.racing is not None:
        return "a sweep cannot become a race"
    if old.varied != new.varied or bool(old.replicates.crossed) != bool(new.replicates.crossed):
        return "what varies between replicates may not change"
    if len(more) < len(seeds) or more[: len(seeds)] != seeds:
        return "finished replicates keep their seeds; give these first, and new ones after them"
    if any(old.varied_by(seed) != new.varied_by(seed) for seed in seeds):
        first = next(iter(old.replicates.crossed))
        return f"replicate {seeds[-1]} would be another combination; of crossed fields only the first, {first}, grows"
    return ""


def _scoring(old: Sweep, new: Sweep, begun: Begun) -> str:
    """A score is computed anew from what was logged, unless something was decided by the old one."""
    if not begun.has_results:
        return ""
    if old.replicates.racing is not None:
        return "the race has dropped conditions by the old one"
    if begun.has_next_stage and old.stages:
        return "the next stage has begun with the best by the old one"
    if old.pruner is not None:
        return f"pruner {old.pruner.name} has judged conditions by the old one"
    if old.stopping != new.stopping:
        return "early stopping has ended replicates by the old one; name it as early_stopping.metric and .direction"
    if old.warm_start is not None:
        return f"the sampler knows sweep '{old.warm_start.sweep}' by the old one"
    if SAMPLERS[old.sampler.name].keeps_state:
        return f"sampler {old.sampler.name} keeps a state that it made by the old one; tpe and random do not"
    if any(one.artifact for one in (*old.objectives, *new.objectives)):
        return "an artifact is read when its replicate ends, and not again"
    if begun.has_models and _kept(old) != _kept(new):
        return "the logged models have the weights of the step that the old one chose"
    return ""


def _kept(sweep: Sweep) -> tuple[Any, ...]:
    """At which step a replicate's weights are kept."""
    first = sweep.objective
    return (first.metric, first.direction, first.expression) if first.reduce == "best" else ("last",)


def _early_stopping(old: Sweep, new: Sweep, begun: Begun) -> str:
    return _fixed(old, new, begun) if begun.has_results else ""


def _confirm(old: Sweep, new: Sweep, begun: Begun) -> str:
    if old.confirm is None:
        return ""
    if new.confirm is None or new.confirm.keep < old.confirm.keep:
        return "a confirmation stays, and keep may only grow"
    n, seeds = len(old.confirm_seeds), new.confirm_seeds
    if not begun.has_confirmed or seeds[:n] == old.confirm_seeds:
        return ""
    if taken := sorted(set(old.confirm_seeds) & new.search_seeds):
        n_new, first = len(new.replicates.values) - len(old.replicates.values), max(old.confirm_seeds) + 1
        own = [*old.replicates.values, *range(first, first + n_new)]
        return (
            f"the confirmation has used seed {taken[0]}; give replicates: {{seeds: {own}}} and "
            f"confirm: {{seeds: {list(old.confirm_seeds)}}}"
        )
    return "confirmed replicates keep their seeds; give these first, and new ones after them"


def _task(old: Sweep, new: Sweep, begun: Begun) -> str:
    if old.task is None or new.task is None or old.task.factor != new.task.factor:
        return _fixed(old, new, begun)
    before, after = old.task.scale, new.task.scale
    if isinstance(before, str) or isinstance(after, str):
        return _fixed(old, new, begun)
    return "" if all(after.get(task) == ends for task, ends in before.items()) else "known tasks keep their ends"


_RULES: Mapping[str, Callable[[Sweep, Sweep, Begun], str]] = {
    "trials": _trials,
    "replicates": _replicates,
    "objective": _scoring,
    "constraints": _scoring,
    "early_stopping": _early_stopping,
    "confirm": _confirm,
    "task": _task,
}
