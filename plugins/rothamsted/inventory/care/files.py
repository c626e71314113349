"""Check files that the record names, folders of deleted runs, and data that wait for a server."""

from __future__ import annotations

import fcntl
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rothamsted import tags, tracking
from rothamsted.errors import SpecError, StoreError
from rothamsted.inventory.care.damage import Damage, Delivery, FileChange, LostArtifact
from rothamsted.inventory.care.units import Unit
from rothamsted.masking import masked
from rothamsted.publish.published import PUBLISHED
from rothamsted.records import Outcome
from rothamsted.studies import CONFIG_FILE
from rothamsted.sweeping.checkpoint_folders import checkpoints_of, state_part
from rothamsted.sweeping.stage import EarlierStage
from rothamsted.tracking.care import RecordFacts
from rothamsted.tracking.kept_back import FOLDER, server_mark
from rothamsted.tracking.run_files import local_folder

QUIET_SECONDS = 3600.0  # a folder that was written to since may be of a run that is about to be there
_OF_ANOTHER = "if no other tracking store keeps its files in that folder, --repair --folders deletes it"
_RUN_FOLDER = re.compile(r"[0-9a-f]{32}")
_MODEL_FOLDER = re.compile(r"m-[0-9a-f]{32}")


def check_files(unit: Unit, record: RecordFacts, *, uri: str) -> Iterator[Damage]:
    """Check the sweep's file, what was published of it, and the models of its runs."""
    run = unit.run
    if run is None or run.is_deleted:
        return
    folder = "contest" if run.role == "contest" else "sweep"
    if tracking.read_bytes(run.run_id, f"{folder}/resolved.json", uri=uri) is None:
        yield Damage(
            kind="missing file",
            sweep=unit.name,
            what=f"run {run.run_id}, {folder}/resolved.json",
            way_out="the sweep's command writes it again when it goes on",
        )
    published = tracking.read_text(run.run_id, PUBLISHED, uri=uri)
    if published is not None:
        for path in _lost(run.run_id, published, uri):
            yield Damage(
                kind="missing file",
                sweep=unit.name,
                what=f"run {run.run_id}, {path}",
                why="gone, or not whole",
                repair="the sweep's command publishes it again",
                changes=[LostArtifact(run_id=run.run_id, path=PUBLISHED)],
            )
    if record.is_sql:
        yield from _configs(unit)
        yield from _models(unit, record)


def _lost(run_id: str, published: str, uri: str) -> list[str]:
    """The published files that are gone, and a page that does not end; other bits are those of a later analysis."""
    try:
        paths = [str(path) for path in json.loads(published)["files"]]
    except (ValueError, KeyError, TypeError):
        return [PUBLISHED]
    found = []
    for path in paths:
        content = tracking.read_bytes(run_id, path, uri=uri)
        is_page = path.endswith(".html")
        if not content or (is_page and not content.rstrip().endswith(b"</html>")):
            found.append(path)
    return found


def _configs(unit: Unit) -> Iterator[Damage]:
    """The configuration of each replicate that has a result, where its artifacts lie on this machine."""
    for run in unit.runs:
        place = local_folder(run.artifact_uri) if run.artifact_uri else None
        has_result = tags.REPLICATE in run.tags and run.tags.get(tags.OUTCOME) in (Outcome.FINISHED, Outcome.DIVERGED)
        if place is None or run.is_deleted or not has_result or (place / CONFIG_FILE).is_file():
            continue
        yield Damage(
            kind="missing file",
            sweep=unit.name,
            what=f"run {run.run_id}, {CONFIG_FILE}",
            way_out="its numbers stay, but reproduce cannot train it again; put back a copy of its artifacts",
        )


def _models(unit: Unit, record: RecordFacts) -> Iterator[Damage]:
    for run in unit.runs:
        model_id = run.tags.get(tags.MODEL, "").rpartition("/")[2]
        if run.is_deleted or not model_id or model_id in record.models:
            continue
        yield Damage(
            kind="missing file",
            sweep=unit.name,
            what=f"model {model_id} of run {run.run_id}",
            way_out=f"rothamsted reproduce {run.run_id} trains it again, and keeps no model",
        )


def check_states(unit: Unit, every: Sequence[Unit], home: Path) -> Iterator[Damage]:
    """Check the states of the stage before that replicates still need, if their folder is here."""
    kept = unit.search.attributes.get(tags.STAGE) if unit.search is not None else None
    if kept is None or not kept["earlier"]["left_states"]:
        return
    try:
        earlier = EarlierStage.of(kept["earlier"])
    except SpecError:
        return
    folder = checkpoints_of(home, earlier.sweep, earlier.run_id)
    before = next((one for one in every if one.run_id == earlier.run_id), None)
    if before is None or earlier.sweep.execution.checkpoints == "artifacts" or not folder.is_dir():
        return
    left = {trial.number: trial for trial in before.trials}
    for trial, number in zip(unit.trials, earlier.trials):
        done = {one["seed"] for one in trial.replicates}
        for one in left[number].replicates if number in left and not trial.is_over else ():
            part = folder / state_part(number, one["replicate"])
            is_left = one["outcome"] != Outcome.FINISHED or any(part.glob("*.safetensors"))
            if one["seed"] in done or is_left:
                continue
            yield Damage(
                kind="missing file",
                sweep=unit.name,
                what=f"trial {trial.number}, seed {one['seed']}: {part}",
                why="the state that the stage before left",
                way_out="it is trained from its beginning",
            )


def check_folders(record: RecordFacts, *, deletes: bool = False, now: float | None = None) -> Iterator[Damage]:
    """Find folders of artifacts on this machine without a run or logged model in the store.

    MLflow may keep files of several databases in one folder `mlruns`, and the folder of a run does not say to which it
    belongs. So a repair deletes folders only on request.

    Args:
        record: of the store.
        deletes: whether a repair deletes them.
        now: unix seconds; None: the clock's.
    """
    if not record.is_sql:
        return
    now = time.time() if now is None else now
    known = {*record.runs, *record.others}
    for root in record.folders:
        place = local_folder(root)
        if place is None or not place.is_dir():
            continue
        found = [one for one in place.iterdir() if _RUN_FOLDER.fullmatch(one.name) and one.name not in known]
        models = place / "models"
        if models.is_dir():
            found += [o for o in models.iterdir() if _MODEL_FOLDER.fullmatch(o.name) and o.name not in record.models]
        for folder in sorted(found):
            if folder.is_dir() and not folder.is_symlink() and now - folder.stat().st_mtime > QUIET_SECONDS:
                yield Damage(
                    kind="folder of no run",
                    sweep="",
                    what=str(folder),
                    repair="it is deleted with its files" if deletes else "",
                    way_out="" if deletes else _OF_ANOTHER,
                    changes=[FileChange(path=folder)] if deletes else (),
                )


def check_undelivered(home: Path, *, uri: str) -> Iterator[Damage]:
    """Find files of ended processes with data that wait for a server."""
    folder, mark = home / FOLDER, server_mark(masked(uri))
    for path in sorted(folder.glob("*.jsonl")) if folder.is_dir() else ():
        if is_of_living(path):
            continue
        is_here = path.name.startswith(f"{mark}-")
        yield Damage(
            kind="undelivered",
            sweep="",
            what=str(path),
            repair="it is delivered" if is_here else "",
            way_out="" if is_here else "any command with MLFLOW_TRACKING_URI set to its server delivers it",
            changes=[Delivery()] if is_here else (),
        )
    for path in sorted(folder.glob("*.refused")) if folder.is_dir() else ():
        yield Damage(
            kind="undelivered",
            sweep="",
            what=str(path),
            why="its server refused it",
            way_out="look at what it holds, and remove it",
        )


def is_of_living(path: Path) -> bool:
    """Say whether the process that writes a file still lives: it holds its lock."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror}") from error
    return False
