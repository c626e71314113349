"""Promotions in processes of their own: rivals that meet, and ones that are killed anywhere.

A program by itself, which imports everything once and forks: a process that has run JAX must not fork, and
starting one takes seconds.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import scipy.stats  # noqa: F401  (a comparison needs it: imported here once, not in every child)

from rothamsted.promotion import promote as promoting
from rothamsted.promotion.judge.earlier_verdicts import read_verdicts
from rothamsted.promotion.ledger.changes import read_changes
from rothamsted.tracking import Recorder, find_runs
from rothamsted.tracking.registry import change as registry_change
from rothamsted.tracking.registry import model_lock as registry_lock
from rothamsted.tracking.registry import registered as registries
from rothamsted.tracking.registry.registered import open_registry
from tests.promotion.store import CODE, ByHand, log_sweep, policy

CONTEXT = multiprocessing.get_context("fork")
PROMOTED = {"first": 0.5, "second": 0.3}  # sweeps and the rate that each has confirmed


def promote(uri: str, sweep: str, *, contest: Any = None) -> Any:
    """Promote a sweep as the command does, without the report, which comes when all is done."""
    return promoting.promote(
        sweep,
        policy(),
        registry=open_registry(uri),
        contest=contest or ByHand(uri=uri),
        code_digest=lambda study: CODE,
        report=lambda *_, uri: None,
    )


def state(uri: str) -> dict[str, Any]:
    """What anybody can see of the registered model."""
    registry = open_registry(uri)
    model = registry.find_model("toy")
    if model is None:
        return {"aliases": {}, "versions": [], "verdicts": {}, "changes": [], "is_locked": False}
    versions = registry.versions("toy")
    return {
        "aliases": dict(model.aliases),
        "versions": [version.tags["rothamsted.sweep"] for version in versions],
        "verdicts": {
            version.tags["rothamsted.sweep"]: [(one.decision, one.compared_with) for one in read_verdicts(version)]
            for version in versions
        },
        "changes": [(entry.old, entry.new) for entry in read_changes(model.tags)],
        "is_locked": registry_lock.LOCK_TAG in model.tags,
    }


def in_child(call: Callable[[], Any]) -> tuple[Any, int]:
    """What a call returns in a process of its own, and the exit code of that process."""
    answers = CONTEXT.SimpleQueue()
    child = CONTEXT.Process(target=lambda: answers.put(call()))
    child.start()
    child.join(timeout=120)
    return (None if answers.empty() else answers.get()), child.exitcode if child.exitcode is not None else 1


# ---- rivals ----


def rivals(uri: str, sweeps: Sequence[str]) -> dict[str, Any]:
    """Promote sweeps at the same time: each decides before any of them writes; returns what came of it."""

    def prepare() -> None:
        for name in dict.fromkeys(sweeps):
            log_sweep(uri, name, [PROMOTED[name]])

    _import_what_is_imported_late(prepare)
    barrier = CONTEXT.Barrier(len(sweeps))
    answers = CONTEXT.SimpleQueue()

    def one(name: str) -> None:
        write, waited = promoting._write, []

        def after_the_others(*arguments: Any) -> Any:
            if not waited:
                waited.append(barrier.wait(timeout=60))
            return write(*arguments)

        promoting._write = after_the_others
        answers.put((name, [decided.decision for decided in promote(uri, name).decided]))

    children = [CONTEXT.Process(target=one, args=(name,)) for name in sweeps]
    for child in children:
        child.start()
    for child in children:
        child.join(timeout=120)
    told = [answers.get() for child in children if child.exitcode == 0]
    seen, _ = in_child(lambda: state(uri))
    return {"exit_codes": [child.exitcode for child in children], "told": told, "state": seen}


# ---- killed ----


WRITES: list[tuple[Any, str]] = [
    (registries.ModelRegistry, "create_model"),
    (registry_lock, "_take_sql"),
    (registry_lock, "_take_by_client"),
    (registries.ModelRegistry, "create_version"),
    (registries.ModelRegistry, "link_logged_model"),
    (registries.MlflowClient, "set_model_version_tag"),
    (registries.ModelRegistry, "describe_version"),
    (Recorder, "log_text"),
    (Recorder, "flush"),
    (registry_change, "put_alias"),
    (registries.MlflowClient, "set_registered_model_tag"),
    (registries.MlflowClient, "set_registered_model_alias"),
    (registry_lock, "release"),
]


SOME = [
    "create_version 1",
    "set_model_version_tag 1",  # registered, without a verdict
    "log_text 1",
    "put_alias 2",  # within the transaction that moves the aliases
    "release 1",
]


def armed(kill_at: str) -> list[str]:
    """Replace every write by one that counts, and that kills this process before or after the one of this name.

    Returns:
        Where writes are noted as they are made: "create_model 1", "set_model_version_tag 3", ...
    """
    noted: list[str] = []
    for place, name in WRITES:
        setattr(place, name, _counted(getattr(place, name), name, kill_at, noted))
    return noted


def _counted(write: Callable[..., Any], name: str, kill_at: str, noted: list[str]) -> Callable[..., Any]:
    calls: list[int] = []

    def counted(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        label = f"{name} {len(calls)}"
        noted.append(label)
        if kill_at == f"before {label}":
            os.kill(os.getpid(), signal.SIGKILL)
        done = write(*arguments, **named)
        if kill_at == f"after {label}":
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return counted


def killed(uri: str, way: str, which: str) -> dict[str, Any]:
    """Kill the promotion of a challenger at each write, then give it again; returns what was there each time.

    Args:
        uri: An empty SQLite store.
        way: sql, or client: call by call, as through a server.
        which: some: before five writes that stand for all; all: before every one, and after the last.
    """
    for place in (registry_lock, registry_change, promoting):
        place.is_sql = lambda registry: way == "sql"  # type: ignore[attr-defined]
    registry_lock.SETTLE_SECONDS = 0.01
    path = Path(uri.removeprefix("sqlite:///"))

    def prepare() -> None:
        log_sweep(uri, "first", [PROMOTED["first"]])
        promote(uri, "first")
        log_sweep(uri, "second", [PROMOTED["second"]])

    def listed() -> list[str]:
        noted = armed("nowhere")
        promote(uri, "second")
        return noted

    def die(point: str) -> None:
        armed(point)
        promote(uri, "second")

    def complete() -> dict[str, Any]:
        seen = state(uri)
        promote(uri, "second")
        return {"seen": seen, "after": state(uri)}

    _import_what_is_imported_late(prepare)
    kept = _keep(path)
    labels, _ = in_child(listed)
    points = [f"before {label}" for label in (labels if which == "all" else SOME)] + [f"after {labels[-1]}"]
    found = {}
    for point in points:
        _restore(kept, path)
        _, exit_code = in_child(lambda point=point: die(point))
        completed, again = in_child(complete)
        found[point] = {"exit_code": exit_code, "again": again, **(completed or {})}
    return found


def _import_what_is_imported_late(call: Callable[[], None]) -> None:
    """Make a call in a child, and import here what it had to import, so that later children need not."""
    known = set(sys.modules)

    def late() -> list[str]:
        call()
        return [name for name in sys.modules if name not in known]

    for name in in_child(late)[0]:
        with contextlib.suppress(ImportError):  # parts of modules that are no files
            importlib.import_module(name)


def _keep(path: Path) -> Path:
    """A copy of a database that nobody has open."""
    kept = path.parent / "kept"
    kept.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        shutil.copy(file, kept)
    return kept


def _restore(kept: Path, path: Path) -> None:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    for file in kept.iterdir():
        shutil.copy(file, path.parent)


def contest_killed(uri: str) -> dict[str, Any]:
    """Kill a promotion when its contest is over and nothing is written yet; then give it again."""

    def die(**asked: Any) -> Any:
        ByHand(uri=uri)(**asked)
        os.kill(os.getpid(), signal.SIGKILL)

    def prepare() -> None:
        log_sweep(uri, "first", [PROMOTED["first"]])
        promote(uri, "first")
        log_sweep(uri, "second", [PROMOTED["second"]])

    _import_what_is_imported_late(prepare)
    _, exit_code = in_child(lambda: promote(uri, "second", contest=die) and None)
    seen, _ = in_child(lambda: state(uri))
    in_child(lambda: promote(uri, "second") and None)
    after, _ = in_child(lambda: state(uri))
    n_duels, _ = in_child(lambda: len(find_runs(None, {"rothamsted.phase": "duel"}, uri=uri)))
    return {"exit_code": exit_code, "seen": seen, "after": after, "n_duels": n_duels}


TRIALS: dict[str, Callable[[str], Any]] = {
    "rivals": lambda uri: rivals(uri, ["first", "second"]),
    "twins": lambda uri: rivals(uri, ["first", "first"]),
    "killed": lambda uri: killed(uri, "sql", "some"),
    "contest": contest_killed,
    "killed_everywhere_sql": lambda uri: killed(uri, "sql", "all"),
    "killed_everywhere_client": lambda uri: killed(uri, "client", "all"),
}


if __name__ == "__main__":
    results = {}
    for name, address in json.loads(sys.argv[1]).items():  # trial -> URI of an empty store
        os.environ["MLFLOW_TRACKING_URI"] = address
        results[name] = TRIALS[name](address)
    print(json.dumps(results))
