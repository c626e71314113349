"""Find the checkpoints that are still needed, and what may be deleted.

A checkpoint is needed if a training may go on from it: of a replicate that is not over or is tried again, of a finished
stage while the next one is not over, and all of a sweep on which a process works. Others are never read again.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rothamsted import tags, tracking
from rothamsted.errors import StoreError
from rothamsted.holders import is_alive
from rothamsted.inventory.belongings import IS_ID
from rothamsted.inventory.care.doctor import chosen_of
from rothamsted.inventory.care.files import is_of_living
from rothamsted.inventory.care.units import Unit, units_of
from rothamsted.masking import masked
from rothamsted.search.care import read_facts
from rothamsted.spec import Execution
from rothamsted.sweeping.attempts import to_try_again
from rothamsted.sweeping.checkpoint_folders import OF_RUN, checkpoints_of
from rothamsted.sweeping.worker.foreign_replicate import SCRATCH
from rothamsted.tracking.care import RecordFacts, read_record
from rothamsted.tracking.kept_back import FOLDER, runs_kept, server_mark

QUIET_SECONDS = 86_400.0  # what nobody knows and was written to since may be of a database that is not looked at
_OF_POPULATION = "members"  # a population's folder has no trial's number in its name


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Names something that nothing needs.

    Attributes:
        what: in words: of which sweep, and why it may go.
        path: a folder or a file of this machine; None: artifacts.
        run_id, files: artifacts of a run.
        n_bytes: what it takes; 0: not known.
    """

    what: str
    path: Path | None = None
    run_id: str = ""
    files: tuple[str, ...] = ()
    n_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """Holds what may be deleted, and a line on each thing that was left alone."""

    found: Sequence[Leftover]
    notes: Sequence[str]


def leftovers(names: Collection[str], *, uri: str, storage: str, home: Path) -> Leftovers:
    """Find everything of these sweeps that is not needed; without names of all sweeps, and of deleted ones.

    Args:
        names: of sweeps.
        uri: tracking URI.
        storage: database URL of the search.
        home: folder of checkpoints and logs.

    Raises:
        StoreError: a database cannot be read, or a name is not there.
    """
    search, record = read_facts(storage), read_record(uri)
    every = units_of(search, record, is_alive=is_alive)
    found: list[Leftover] = []
    notes: list[str] = []
    for unit in chosen_of(every, names, uri=uri, storage=storage):
        if unit.holder:
            notes.append(f"{unit.name}: left alone, because {unit.holder} works on it")
        elif unit.search is None or unit.sweep is None:
            notes.append(f"{unit.name}: left alone, because its search is not here or cannot be read")
        else:
            found += _of_unit(unit, every, uri=uri, home=home)
    if not names:
        found += [*_of_nobody(every, record, home), *_spool(record, home, uri=uri)]
    return Leftovers(found=found, notes=notes)


def remove(one: Leftover, *, uri: str) -> None:
    """Remove it. If it is gone already, nothing happens.

    Raises:
        StoreError: it cannot be removed.
    """
    import shutil

    if one.path is None:
        tracking.delete_files(one.run_id, one.files, uri=uri)
        return
    try:
        if one.path.is_dir():
            shutil.rmtree(one.path)
        else:
            one.path.unlink(missing_ok=True)
        for above in (one.path.parent, one.path.parent.parent):
            if any(above.iterdir()):
                return
            above.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{one.path}: cannot be deleted: {error.strerror}; delete it by hand") from error


def needed_trials(unit: Unit, every: Sequence[Unit]) -> frozenset[str]:
    """Return the keys of trials whose checkpoints are needed: "17", "confirm-3"; "*" of all."""
    retries = unit.sweep.execution.retries if unit.sweep is not None else 0
    found = set()
    for prefix, trials in (("", unit.trials), ("confirm-", unit.fresh)):
        for trial in trials:
            if not trial.is_over or to_try_again(trial.attributes, retries=retries) is not None:
                found.add(f"{prefix}{trial.number}")
    if found:
        found.add(_OF_POPULATION)
    going_on = unit.search.attributes.get(tags.NEXT_STAGE) if unit.search is not None else None
    if going_on is not None:
        after = next((one for one in every if one.name == going_on["name"] and _is_after(one, unit)), None)
        is_over = after is not None and after.search is not None and _is_over(after)
        found |= set() if is_over else {str(number) for number in going_on["trials"]}
    elif _has_stages(unit) and not _is_passed_on(unit):
        return frozenset({"*"})  # which conditions go on is not decided yet
    return frozenset(found)


# ---- of sweeps ----


def _of_unit(unit: Unit, every: Sequence[Unit], *, uri: str, home: Path) -> Iterator[Leftover]:
    sweep, needed = unit.sweep, needed_trials(unit, every)
    if sweep is None or "*" in needed:
        return
    why = f"{unit.name}: checkpoints that no training goes on from"
    if sweep.execution.checkpoints == "artifacts":
        if unit.run is None or unit.run.is_deleted:
            return
        for part in tracking.list_folders(unit.run_id, OF_RUN, uri=uri):
            if _key(part.rpartition("/")[2]) not in needed:
                files = tuple(tracking.list_files(unit.run_id, part, uri=uri))
                yield Leftover(what=f"{why}, artifacts {part}", run_id=unit.run_id, files=files)
        return
    folder = checkpoints_of(home, sweep, unit.run_id)
    for part in sorted(folder.iterdir()) if IS_ID.fullmatch(unit.run_id) and folder.is_dir() else ():
        is_function = not part.is_dir()
        if (not needed) if is_function else (_key(part.name) not in needed):
            yield Leftover(what=why, path=part, n_bytes=size_of(part))


def _key(part: str) -> str:
    """Whose checkpoints a folder has: 17 of 17-0, confirm-3 of confirm-3-1; a population's are one."""
    return _OF_POPULATION if f"-{_OF_POPULATION}-" in part else part.rpartition("-")[0]


def _has_stages(unit: Unit) -> bool:
    """Whether another stage may follow, which goes on from this one's states."""
    if unit.search is None:
        return False
    stage = unit.search.attributes.get(tags.STAGE)
    return bool(stage["keeps_states"]) if stage is not None else bool(unit.search.spec.get("stages"))


def _is_passed_on(unit: Unit) -> bool:
    return unit.search is not None and tags.NEXT_STAGE in unit.search.attributes


def _is_after(one: Unit, unit: Unit) -> bool:
    if one.search is None:
        return False
    return one.search.attributes.get(tags.STAGE, {}).get("earlier", {}).get("run_id") == unit.run_id


def _is_over(unit: Unit) -> bool:
    return unit.search is not None and unit.search.lease.get("how") == "over"


# ---- of nobody ----


def _of_nobody(every: Sequence[Unit], record: RecordFacts, home: Path) -> Iterator[Leftover]:
    """Checkpoints of sweeps that neither database knows, and files of foreign processes that have ended."""
    known = {unit.run_id[-12:] for unit in every if unit.run_id} | {run_id[-12:] for run_id in record.runs}
    roots = {home / Execution().checkpoint_dir}
    roots |= {home / unit.sweep.execution.checkpoint_dir for unit in every if unit.sweep is not None}
    for root in sorted(roots):
        for folder in sorted(root.glob("*/" + "[0-9a-f]" * 12)):
            if folder.is_dir() and folder.name not in known and _is_quiet(folder):
                yield Leftover(what="checkpoints of a sweep that is gone", path=folder, n_bytes=size_of(folder))
    running = {run.run_id for unit in every if unit.holder for run in unit.runs}
    scratch = home / SCRATCH
    for folder in sorted(scratch.iterdir()) if scratch.is_dir() else ():
        if folder.is_dir() and folder.name not in running and (folder.name in record.runs or _is_quiet(folder)):
            yield Leftover(what="files of a process that has ended", path=folder, n_bytes=size_of(folder))


def _spool(record: RecordFacts, home: Path, *, uri: str) -> Iterator[Leftover]:
    """What waits for this server and is of runs that are gone from it."""
    folder, mark = home / FOLDER, server_mark(masked(uri))
    for path in sorted(folder.glob(f"{mark}-*")) if folder.is_dir() else ():
        try:
            kept = runs_kept(path)
        except (ValueError, KeyError, TypeError):
            continue  # no file of ours: whoever put it there may need it
        is_wanted = any(is_new or record.is_active(run_id) for run_id, is_new in kept.items())
        if not is_wanted and not is_of_living(path):
            yield Leftover(what="measured for runs that are gone", path=path, n_bytes=size_of(path))


def _is_quiet(folder: Path) -> bool:
    """Whether nothing in a folder was written to lately."""
    newest = max((one.stat().st_mtime for one in (folder, *folder.rglob("*"))), default=0.0)
    return time.time() - newest > QUIET_SECONDS


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    every = path.rglob("*") if path.is_dir() else (path,)
    return sum(one.stat().st_size for one in every if one.is_file())
