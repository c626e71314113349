"""Find the pictures among the artifacts of a replicate's run, and the step of each."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from rothamsted import tracking

KINDS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
MOST = 100  # of one replicate
MOST_BYTES = 10 << 20  # of one picture
_DEEPEST = 4  # folders within folders
_STEP = re.compile(r"[/_.-]+(?:step|s)?[_-]?(?P<step>\d{1,18})(?=\.[a-z]+$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Holds one picture.

    Attributes:
        path: of the artifact.
        key: under which W&B shows it: pictures of several steps have one.
        step: at which it was made; None: its name does not say.
    """

    path: str
    key: str
    step: int | None


def pictures_of(run_id: str, steps: Collection[int], *, uri: str) -> list[Picture]:
    """Return the pictures of a run, at most `MOST`, by path.

    Args:
        run_id: of the run.
        steps: at which it has measured.
        uri: of the tracking store.
    """
    found = []
    for path in _files(run_id, "", uri, _DEEPEST):
        if path.lower().endswith(KINDS):
            found.append(placed(path, steps))
        if len(found) == MOST:
            break
    return found


def placed(path: str, steps: Collection[int]) -> Picture:
    """Place a picture where it belongs by its name.

    Example:
        >>> placed("samples/step_000020.png", {10, 20})
        Picture(path='samples/step_000020.png', key='samples', step=20)
        >>> placed("pictures/last.png", {10, 20})
        Picture(path='pictures/last.png', key='pictures/last', step=None)
    """
    said = _STEP.search(path)
    if said is not None and said.start() > 0 and int(said["step"]) in steps:
        return Picture(path=path, key=path[: said.start()], step=int(said["step"]))
    return Picture(path=path, key=posixpath.splitext(path)[0], step=None)


def _files(run_id: str, folder: str, uri: str, depth: int) -> Iterator[str]:
    yield from tracking.list_files(run_id, folder, uri=uri)
    for below in tracking.list_folders(run_id, folder, uri=uri) if depth else ():
        yield from _files(run_id, below, uri, depth - 1)
