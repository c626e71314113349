"""Find everything that belongs to a sweep in both databases and on disk, and delete it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rothamsted import tags, tracking
from rothamsted.errors import StoreError
from rothamsted.holders import is_alive
from rothamsted.inventory.sweeps import find_listed
from rothamsted.search.deletion import delete_searches
from rothamsted.search.listed import ListedSearch, list_searches
from rothamsted.spec import from_resolved
from rothamsted.studies.tensorboard import FOLDER as TENSORBOARD
from rothamsted.sweeping.checkpoint_folders import checkpoints_of
from rothamsted.sweeping.worker.foreign_replicate import SCRATCH
from rothamsted.tracking.deletion import RunFamily, delete_family, find_family
from rothamsted.tracking.kept_back import FOLDER as UNDELIVERED
from rothamsted.tracking.kept_back import runs_kept
from rothamsted.wording import count

IS_ID = re.compile("[0-9a-f]{32}")  # of a run; a search that somebody wrote by hand may hold any text there
_IN_A_NAME = 40  # characters of a sweep's name that stand in the names of its contests


@dataclass(frozen=True, kw_only=True)
class Belongings:
    """Holds everything that belongs to one sweep.

    Attributes:
        name: of the sweep.
        searches: searches of its stages, confirmations and contests.
        runs: runs in MLflow, with artifacts and models.
        checkpoints: existing folders of checkpoints.
        beside: other files and folders of its runs at home: event files, files of killed processes, data that wait for
            a server.
    """

    name: str
    searches: Sequence[ListedSearch]
    runs: RunFamily
    checkpoints: Sequence[Path]
    beside: Sequence[Path] = ()

    @property
    def lines(self) -> list[str]:
        """Describe it in lines of text."""
        lines = [f"{self.name}:"]
        for one in self.searches:
            lines.append(f"  Optuna study {one.name}{_what(one)}: {count(one.trials.n, 'trial')}")
        files = list(self.runs.local_files())
        n_bytes = sum(path.stat().st_size for path in files)
        models = f" and {count(len(self.runs.model_ids), 'model')}" if self.runs.model_ids else ""
        lines.append(f"  MLflow: {count(len(self.runs.run_ids), 'run')}{models}")
        if self.runs.is_local_sql:
            others = len([place for place in self.runs.folders if "://" in place and not place.startswith("file:")])
            elsewhere = f"; and {count(others, 'place')} that this machine does not hold" if others else ""
            lines.append(f"  artifacts: {count(len(files), 'file')}, {size_words(n_bytes)}{elsewhere}")
        else:
            lines.append("  artifacts: the server keeps them until `mlflow gc` is run there")
        lines += [f"  checkpoints: {folder}" for folder in self.checkpoints]
        lines += [f"  files of its runs: {path}" for path in self.beside]
        return lines


def belongings_of(reference: str, *, uri: str, storage: str, home: Path) -> Belongings:
    """Find everything that belongs to a sweep: all stages, whichever of them is named.

    Args:
        reference: name of the sweep or of a stage, or id of its run.
        uri: tracking URI.
        storage: database URL of the search.
        home: folder of checkpoints and logs.

    Raises:
        StoreError: there is no such sweep, or registered model versions need its artifacts.
    """
    listed = find_listed(reference, uri=uri, storage=storage)
    searches = list_searches(storage)
    run = tracking.find_run(listed.run_id, uri=uri) if listed.run_id else None
    of_stage = listed.search.attributes.get(tags.STAGE, {}) if listed.search is not None else {}
    first_id = of_stage.get("of_run_id") or (run.tags.get(tags.STAGE_OF) if run is not None else "") or listed.run_id
    name = next((one.name for one in searches if first_id and one.attributes.get(tags.RUN_ID) == first_id), listed.name)
    own = _searches_of(name, first_id, searches)
    roots = {str(one.attributes[tags.RUN_ID]) for one in own if tags.RUN_ID in one.attributes} | {first_id} - {""}
    names = {name, *(one.name for one in own)}
    later = tracking.find_runs(None, {tags.STAGE_OF: first_id}, uri=uri) if first_id else []
    runs = find_family(roots | {one.run_id for one in later}, names, uri=uri)
    if runs.versions:
        raise StoreError(
            f"sweep {name}: {', '.join(runs.versions)} in the registry needs its artifacts; delete the version there "
            "first, in MLflow's UI under Models, or keep the sweep"
        )
    return Belongings(
        name=name,
        searches=own,
        runs=runs,
        checkpoints=_checkpoints(own, home),
        beside=_beside(runs.run_ids, names, home),
    )


def delete(belongings: Belongings, *, uri: str, storage: str) -> None:
    """Delete all of it. After a stop, call it again to delete the rest.

    The search is deleted first: its transaction checks whether a process works on the sweep, and none can begin later.

    Raises:
        StoreError: a process works on it, or something cannot be deleted.
    """
    delete_searches(storage, [one.study_id for one in belongings.searches], is_alive=is_alive)
    delete_family(belongings.runs, uri=uri)
    for path in (*belongings.checkpoints, *belongings.beside):
        _delete(path)


def _searches_of(name: str, first_id: str, searches: Sequence[ListedSearch]) -> list[ListedSearch]:
    stages = [
        one
        for one in searches
        if one.name == name or (first_id and one.attributes.get(tags.STAGE, {}).get("of_run_id") == first_id)
    ]
    names = {one.name for one in stages}
    confirmations = [one for one in searches if one.attributes.get(tags.CONFIRMATION_OF) in names]
    others = {one.name for one in searches} - names
    starts = {
        f"{own[:_IN_A_NAME]}-against-"
        for own in names
        if not any(other[:_IN_A_NAME] == own[:_IN_A_NAME] for other in others if "-against-" not in other)
    }
    contests = [one for one in searches if tags.CONTEST in one.attributes and one.name.startswith(tuple(starts))]
    return [*stages, *confirmations, *contests]


def _checkpoints(searches: Sequence[ListedSearch], home: Path) -> list[Path]:
    folders = [
        checkpoints_of(home, from_resolved(one.spec), str(one.attributes[tags.RUN_ID]))
        for one in searches
        if IS_ID.fullmatch(str(one.attributes.get(tags.RUN_ID, "")))
    ]
    return [folder for folder in folders if folder.is_dir()]


def _beside(ids: Collection[str], names: Collection[str], home: Path) -> list[Path]:
    """What processes of these runs left at home, beside checkpoints; ids and names make no way out of there."""
    run_ids = {run_id for run_id in ids if IS_ID.fullmatch(run_id)}
    found = [home / SCRATCH / run_id for run_id in run_ids]
    ends = {run_id[-12:] for run_id in run_ids}
    for name in names:
        mirrored = home / TENSORBOARD / name
        is_within = mirrored.resolve().is_relative_to((home / TENSORBOARD).resolve()) and mirrored.is_dir()
        found += [one for one in mirrored.iterdir() if one.name[-12:] in ends] if is_within else []
    waiting = home / UNDELIVERED
    for path in (*waiting.glob("*.jsonl"), *waiting.glob("*.refused")) if waiting.is_dir() else ():
        with suppress(ValueError, KeyError, TypeError):  # no file of ours
            kept = runs_kept(path)
            found += [path] if kept and run_ids.issuperset(kept) else []
    return sorted(path for path in found if path.exists())


def _delete(path: Path) -> None:
    import shutil

    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        for above in (path.parent, path.parent.parent):  # of other sweeps there may be something there
            if any(above.iterdir()):
                break
            above.rmdir()
    except OSError as error:
        raise StoreError(f"{path}: cannot be deleted: {error.strerror}; delete it by hand") from error


def _what(search: ListedSearch) -> str:
    if tags.CONFIRMATION_OF in search.attributes:
        return ", its confirmation"
    if tags.CONTEST in search.attributes:
        return ", a contest of its winner"
    return ", a later stage" if tags.STAGE in search.attributes else ""


def size_words(n_bytes: int) -> str:
    """Return a number of bytes in words: 1.2 MB."""
    power = min(3, (len(str(n_bytes)) - 1) // 3)
    return f"{n_bytes / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB')[power]}"
