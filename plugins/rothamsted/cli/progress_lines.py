"""Print how far a sweep is, once or live until it is over."""

from __future__ import annotations

import datetime
import itertools
import math
import time
from collections.abc import Callable

from rothamsted.cli.screen import Screen
from rothamsted.inventory.progress import SweepProgress
from rothamsted.inventory.sweeps import ListedSweep
from rothamsted.wording import estimate, plain_count, with_basis

BAR = 30  # characters
LOOK_SECONDS = 2.0  # between two looks
START_LOOKS = 15  # that a sweep has to make its first trial


def progress_lines(progress: SweepProgress, *, now: Callable[[], float] = time.time) -> list[str]:
    """Say in lines how far a sweep is.

    Args:
        progress: as it was read.
        now: seconds since 1970.
    """
    listed, trials = progress.listed, progress.conditions
    lines = [f"{listed.name}: {listed.state}{_since(listed)}"]
    odd = [f"{n} {what}" for n, what in ((trials.n_failed, "failed"), (trials.n_pruned, "pruned")) if n]
    of_them = f", of them {' and '.join(odd)}" if odd else ""
    running = f", {progress.n_running} running" if progress.n_running else ""
    lines.append(f"  conditions   {_bar(trials.n_over, progress.n_conditions)} done{of_them}{running}")
    if progress.n_fresh:
        lines.append(f"  fresh seeds  {_bar(progress.fresh.n_over, progress.n_fresh)} done")
    if progress.race.get("n_in"):
        dropped = plain_count(progress.race["n_dropped"], "condition")
        lines.append(f"  race: {dropped} dropped, {progress.race['n_in']} still in")
    if progress.seconds_left is not None:
        end = datetime.datetime.fromtimestamp(now() + progress.seconds_left)
        lines.append(f"  expected end {end:%H:%M:%S}, in {_duration(progress.seconds_left)}")
    lines.append(f"  best so far: {_best(listed)}" if listed.best is not None else "  best so far: none yet")
    if listed.state == "unfinished":
        lines.append("  to go on: repeat the command that started it")
    return [*lines, *([f"  note: {listed.note}"] if listed.note else [])]


def watch(
    read: Callable[[], SweepProgress], screen: Screen, *, sleep: Callable[[float], None] = time.sleep
) -> SweepProgress:
    """Show how far a sweep is, again and again, until nobody works on it; returns the last.

    On a terminal one live picture; elsewhere a picture whenever something has changed.
    """
    from rich.live import Live
    from rich.text import Text

    console = screen.console
    if screen.is_json or not console.is_terminal:
        return _watch_plainly(read, screen, sleep)
    with Live(Text(""), console=console, auto_refresh=False) as live:
        for look in itertools.count():
            progress = read()
            live.update(Text("\n".join(progress_lines(progress))), refresh=True)
            if _is_over(progress, look):
                break
            sleep(LOOK_SECONDS)
    return progress


def _watch_plainly(read: Callable[[], SweepProgress], screen: Screen, sleep: Callable[[float], None]) -> SweepProgress:
    before = None
    for look in itertools.count():
        progress = read()
        if _is_over(progress, look):
            screen.show(*progress_lines(progress))
            break
        if (seen := {**progress.plain, "seconds_left": None}) != before:
            screen.show(*progress_lines(progress))
            screen.give(progress.plain)
        before = seen
        sleep(LOOK_SECONDS)
    return progress


def _is_over(progress: SweepProgress, look: int) -> bool:
    """Nobody works on it; in the first looks one that has no trial yet may just be starting."""
    if progress.listed.state == "unfinished" and not progress.conditions.n and look < START_LOOKS:
        return False
    return progress.listed.state != "running" and not progress.n_running


def best_words(one: ListedSweep) -> tuple[str, str, str, str]:
    """Return the best so far of a sweep, its interval, replicates, and condition; empty if there is none."""
    best = one.best
    if best is None or best.value is None:
        return "", "", "", ""
    low, high = (math.nan if end is None else end for end in (best.low, best.high))
    written = estimate(best.value, low, high)
    confirmed = ", confirmed" if best.is_confirmed else ""
    values = ", ".join(f"{name}={short(value)}" for name, value in best.values.items())
    return f"{one.metric} {written.value}", f"{written.interval}{confirmed}", str(best.n), values


def short(value: object) -> str:
    """Write a value as narrow tables show it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _best(listed: ListedSweep) -> str:
    best = listed.best
    if best is None or best.value is None or listed.sweep is None:
        return "none yet"
    low, high = (math.nan if end is None else end for end in (best.low, best.high))
    level = listed.sweep.statistics.level
    written = with_basis(best.value, low, high, level=level, method=best.method, n=best.n)
    where = "confirmed on fresh seeds" if best.is_confirmed else "the search's own estimate"
    return f"{listed.metric} {written}, {where}, at {best_words(listed)[3]}"


def _since(listed: ListedSweep) -> str:
    begun = datetime.datetime.fromtimestamp(listed.started_ms / 1000)
    return f", begun {begun:%Y-%m-%d %H:%M}" if listed.started_ms else ", not begun"


def _bar(n: int, of: int) -> str:
    full = round(BAR * n / of) if of else 0
    return f"[{'#' * full}{'.' * (BAR - full)}] {n} of {of}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
