"""Check the artifacts of a measurement, and write them as files.

Runs by hand, sweeps and TensorBoard files all use these rules.
"""

from __future__ import annotations

import posixpath
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rothamsted.errors import StudyError
from rothamsted.studies.contract import MeasurementLike

if TYPE_CHECKING:
    from rothamsted.tracking import Recorder

Contents = Mapping[str, str | bytes]  # relative path, slashes making folders -> text (as UTF-8) or bytes
ENGINE_FILES = frozenset(  # of a run by hand, and of one that failed: at the top of a run's artifacts
    {"metrics.csv", "metrics.json", "summary.json", "config.json", "traceback.txt", "output.txt"}
    | {f"{figure}.{kind}" for figure in ("loss", "lr_schedule") for kind in ("svg", "png")}
)


def artifacts_of(measurement: MeasurementLike, n_members: int) -> Sequence[Contents]:
    """Return the artifacts of a measurement, one mapping a member; empty if the measurement has none.

    Raises:
        StudyError: not one mapping a member, a path that leaves the run's folder or is the engine's own, or content
            that is neither text nor bytes.
    """
    give = getattr(measurement, "artifacts", None)
    if give is None:
        return ()
    place = f"measurement at step {measurement.step}: artifacts"
    if not callable(give):
        raise StudyError(f"{place} must be None or a function without arguments, not {type(give).__name__}")
    found: Any = give()
    if not isinstance(found, Sequence) or isinstance(found, str | bytes) or len(found) != n_members:
        n_found = f"{len(found)}" if isinstance(found, Sequence) else f"a value of type {type(found).__name__}"
        raise StudyError(f"{place} must give a list with one mapping a member, {n_members}, not {n_found}")
    for contents in found:
        _check(contents, place)
    return found


def write_artifacts(folder: Path, contents: Contents) -> None:
    """Write artifacts below a folder; a file that is there already is replaced.

    Raises:
        StudyError: one of them cannot be written.
    """
    for path, content in contents.items():
        try:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        except (OSError, ValueError) as error:  # ValueError: text that UTF-8 has no bytes for
            reason = getattr(error, "strerror", None) or error
            raise StudyError(f"artifact {path!r} cannot be written in {folder}: {reason}") from error


def log_artifacts(recorder: Recorder, run_id: str, contents: Contents) -> None:
    """Store artifacts in a run, at once.

    Raises:
        StudyError, StoreError: one of them cannot be written.
    """
    if not contents:
        return
    with tempfile.TemporaryDirectory(prefix="rothamsted-artifacts-") as folder:
        write_artifacts(Path(folder), contents)
        recorder.log_file(run_id, folder)


def _check(contents: Any, place: str) -> None:
    if not isinstance(contents, Mapping):
        raise StudyError(f"{place} must give mappings of a path to its content, not {type(contents).__name__}")
    for path, content in contents.items():
        if not isinstance(path, str) or not _is_inside(path):
            raise StudyError(
                f"{place}: {path!r} must be a relative path without '..', backslash and colon, such as samples/a.txt"
            )
        if path in ENGINE_FILES:
            raise StudyError(f"{place}: {path!r} is written by the engine; put it in a folder or rename it")
        if not isinstance(content, str | bytes):
            raise StudyError(f"{place}: {path!r} must hold text or bytes, not {type(content).__name__}")


def _is_inside(path: str) -> bool:
    """Whether a path stays in its folder, on every system and in MLflow's own rule for names of artifacts."""
    is_plain = posixpath.normpath(path) == path and path != "." and path.isprintable()
    return is_plain and not path.startswith(("..", "/")) and not set(path) & set("\\:")
