"""Find the sweep of a name or a run id.

Every command that takes `sweep=` uses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rothamsted import tags, tracking
from rothamsted.errors import StoreError
from rothamsted.tracking.sql.named import lacks_run, named_sweeps

if TYPE_CHECKING:
    from rothamsted.tracking import FoundRun

_RUN_ID = re.compile(r"[0-9a-f]{32}")


def refuse_unknown_sweep(reference: str, *, uri: str) -> None:
    """Raise the error of `find_sweep` early, if MLflow's SQLite file has no sweep of this name."""
    sweeps = None if _RUN_ID.fullmatch(reference) else named_sweeps(uri)
    if sweeps is not None and not any(name == reference for name, _ in sweeps):
        raise _no_sweep(reference, [name for name, _ in sweeps])


def refuse_unknown_run(reference: str, *, uri: str) -> None:
    """Raise the error of `find_compared` early, if MLflow's SQLite file has no run of this name."""
    if not _RUN_ID.fullmatch(reference) and lacks_run(uri, reference):
        raise _no_run(reference)


def find_sweep(reference: str, *, uri: str) -> tuple[FoundRun, str]:
    """Return the run of a sweep, and a mark for the reader if the name is ambiguous.

    Args:
        reference: The sweep's name, or the id of its run or of a run that went on with it.
        uri: Tracking URI.

    Raises:
        StoreError: There is no such sweep; the message names the sweeps that exist.
    """
    if _RUN_ID.fullmatch(reference):
        run = tracking.find_run(reference, uri=uri)
        if run is not None and tags.CONTINUES in run.tags:
            run = tracking.find_run(run.tags[tags.CONTINUES], uri=uri)
        if run is not None and run.tags.get(tags.ROLE) == "sweep":
            return run, ""
        what = "is not a sweep" if run is not None else "does not exist"
        raise StoreError(f"sweep: run {reference} {what}; {_known(_names(uri))}")
    found = tracking.find_runs(None, {tags.ROLE: "sweep", tags.SWEEP: reference}, uri=uri)
    if not found:
        raise _no_sweep(reference, _names(uri))
    if len(found) == 1:
        return found[0], ""
    others = ", ".join(run.run_id for run in found[:-1][-3:])
    return found[-1], f"{len(found)} sweeps are called {reference}; this is the newest (others by run id: {others})"


def find_compared(reference: str, *, uri: str) -> FoundRun:
    """Return the run of a name or a run id for `compare`: a sweep's run, or any other.

    Raises:
        StoreError: There is no such run, or several runs that are not sweeps have this name.
    """
    if _RUN_ID.fullmatch(reference):
        run = tracking.find_run(reference, uri=uri)
        if run is None:
            raise StoreError(f"compare: there is no run {reference}; give names of sweeps, or ids of runs")
        return run
    if sweeps := tracking.find_runs(None, {tags.ROLE: "sweep", tags.SWEEP: reference}, uri=uri, limit=1):
        return sweeps[0]
    named = tracking.find_runs(None, {"mlflow.runName": reference}, uri=uri, limit=5)
    if not named:
        raise _no_run(reference)
    if len(named) > 1:
        ids = ", ".join(run.run_id for run in named)
        raise StoreError(f"compare: several runs are called '{reference}'; name one by its id: {ids}")
    return named[0]


@dataclass(frozen=True, kw_only=True)
class Staged:
    """Holds a sweep with the stages that have begun. A sweep without stages is its own first and last stage."""

    first: FoundRun
    last: FoundRun
    mark: str  # for the reader, where the reference was not the last stage's own

    @property
    def name(self) -> str:
        """Give the name of the sweep as its file has it."""
        return self.first.tags.get(tags.SWEEP, "")


def find_last_stage(reference: str, *, uri: str) -> Staged:
    """Return the last stage of a sweep, by the name or run id of any of its stages.

    Raises:
        StoreError: There is no such sweep, or the stage that was to follow has not begun.
    """
    run, mark = find_sweep(reference, uri=uri)
    first = tracking.find_run(run.tags[tags.STAGE_OF], uri=uri) if tags.STAGE_OF in run.tags else run
    if first is None:
        raise StoreError(
            f"sweep {reference}: the run of its first stage, {run.tags[tags.STAGE_OF]}, was deleted; restore that run"
        )
    last = run
    while (name := last.tags.get(tags.NEXT_SWEEP)) is not None:
        wanted = {tags.ROLE: "sweep", tags.SWEEP: name, tags.STAGE_OF: first.run_id}
        found = tracking.find_runs([run.experiment_id], wanted, uri=uri)
        if not found:
            raise StoreError(
                f"sweep {reference}: its next stage, {name}, has not begun; give the sweep's command again"
            )
        last = found[-1]
    on = f"{run.tags.get(tags.SWEEP)} went on in stages; {last.tags.get(tags.SWEEP)} is the last"
    return Staged(first=first, last=last, mark="; ".join([*filter(None, [mark]), *([on] if last is not run else [])]))


def _no_run(reference: str) -> StoreError:
    return StoreError(f"compare: there is no sweep and no run called '{reference}'; rothamsted list shows the sweeps")


def _no_sweep(reference: str, names: Iterable[str]) -> StoreError:
    return StoreError(f"sweep: there is no sweep called '{reference}' in this tracking store; {_known(names)}")


def _names(uri: str) -> list[str]:
    return [run.tags.get(tags.SWEEP, run.name) for run in tracking.find_runs(None, {tags.ROLE: "sweep"}, uri=uri)]


def _known(there: Iterable[str]) -> str:
    names = sorted(set(there))
    if not names:
        return "no sweep has been run here; start one with mlflow run . -e sweep"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return f"known: {', '.join(names[:20])}{more}"
