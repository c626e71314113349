"""Run several sweeps, one after the other: find their files, and print a table of the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rothamsted.cli.arguments import each_alone, read_line, take
from rothamsted.cli.screen import screen_of
from rothamsted.errors import UserError
from rothamsted.named_files import is_folder
from rothamsted.wording import verb

_WORDS = {0: "done", 1: "failed", 2: "not started: a mistake", 3: "not finished", 130: "stopped", 143: "stopped"}
_STOPPED = (130, 143)


def files_of(arguments: Sequence[str], *, command: str) -> list[list[str]]:
    """Return the arguments of each sweep if several files are named or `all=FOLDER` is given; else they alone.

    Raises:
        UserError: a folder without sweep files, or a folder beside files.
    """
    line = read_line(arguments, command=command)
    keys = dict(line.keys)
    folder = take(keys, "all")
    if folder is None:
        return each_alone(arguments, command=command)
    if line.words or "config" in keys:
        word = line.words[0] if line.words else keys["config"]
        raise UserError(f"rothamsted {command}: {word} cannot be given with all={folder}; give one of the two")
    files = sorted(path for pattern in ("*.yaml", "*.yml") for path in Path(folder).glob(pattern))
    if not files:
        what = "holds no sweep file (*.yaml)" if is_folder(folder) else "is not a folder"
        raise UserError(f"rothamsted {command}: all={folder}: {what}; give a folder with sweep files")
    rest = [f"--{key}={value}" for key, value in keys.items()] + [f"--{name}" for name in line.common]
    return [[f"--config={path}", *rest] for path in files]


def run_all(
    lines: Sequence[Sequence[str]],
    *,
    run: Callable[[Sequence[str]], int],
    worst: Callable[[Sequence[int]], int],
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Run sweeps one after the other and show what came of each; returns the worst exit status.

    A sweep that a signal stopped is the last.
    """
    screen = screen_of(lines[0], command="sweep")
    rows: list[tuple[str, int, float]] = []
    for line in lines:
        path = read_line(line, command="sweep").keys["config"]
        screen.say(f"== {path} ({len(rows) + 1} of {len(lines)})")
        started = clock()
        rows.append((path, run(line), clock() - started))
        if rows[-1][1] in _STOPPED:
            break
    statuses = [status for _, status, _ in rows]
    width = max(len(path) for path, _, _ in rows)
    screen.say("")
    for path, status, seconds in rows:
        screen.say(f"{path:{width}}  {_WORDS.get(status, 'failed')} (status {status}), {seconds:.1f} s")
    if len(rows) < len(lines):
        n_left = len(lines) - len(rows)
        screen.say(f"{n_left} more {verb(n_left, 'was', 'were')} not begun; give the same command again to go on")
    return worst(statuses)
