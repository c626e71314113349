"""Measure what the sweeps that ship cost, by running each whole, and write the line `Cost:` of its opening comment.

    python -m benchmarks.costs sweeps/quickstart.yaml sweeps/batch_size        # shows what it would write
    python -m benchmarks.costs sweeps --write --most 120                       # all whose line states at most that
    python -m benchmarks.costs sweeps/language_model --write --keep measured   # and keeps what the sweeps found

A sweep is run twice, and the second time counts: by then JAX has compiled, and the data are made. One that takes over
two minutes is run once, since that hardly matters there. Databases and reports lie in a temporary folder, or with
--keep in one folder for each sweep. With --write nothing is measured on a machine that does something else, unless
--busy is given.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rothamsted.spec import Sweep, plan
from rothamsted.sweeping.open.from_file import load

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 120  # of a line of a sweep file
MOST_LOAD = 0.3  # of a core, by other programs
LONG_SECONDS = 120.0  # a sweep that takes as long is run once
_COST = re.compile(r"^# Cost: .*\n(?:#   .*\n)*", re.MULTILINE)
_TIMED = re.compile(r"(\d+) min(?: (\d+) s)? on \w+(?: \w+)? cores|(\d+) s on \w+(?: \w+)? cores")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Holds what one run of a sweep took.

    Attributes:
        seconds: of the clock, from the command to its end.
        processor: seconds of processor time, of all its processes.
        n_cores: that the processes may use.
    """

    seconds: float
    processor: float
    n_cores: int


def counts(sweep: Sweep) -> str:
    """Say in words how many trainings a sweep has.

    Example:
        16 conditions x 3 seeds, 10 fresh seeds for the best: 58 trainings
    """
    size = plan(sweep)
    n_all = size.n_trainings + size.n_stage_trainings + size.n_confirm_trainings
    parts = [f"{size.n_conditions} conditions x {size.n_replicates} seed{'s' * (size.n_replicates > 1)}"]
    if sweep.stages:
        kept = ", ".join(f"the best {stage.keep} in stage {n}" for n, stage in enumerate(sweep.stages[1:], start=2))
        parts.append(f"{kept} ({size.n_stage_trainings} trainings)")
    if size.n_confirmed:
        best = "the best" if size.n_confirmed == 1 else f"each of the best {size.n_confirmed}"
        parts.append(f"{len(sweep.confirm_seeds)} fresh seeds for {best}")
    most = "at most " if sweep.pruner is not None else ""
    return f"{', '.join(parts)}: {most}{n_all:,} trainings"


def in_words(seconds: float) -> str:
    """Write seconds as a header has them: 18 s, 3 min 20 s.

    Example:
        >>> in_words(17.6), in_words(200)
        ('18 s', '3 min 20 s')
    """
    whole = max(1, round(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")


def line(sweep: Sweep, cost: Cost) -> str:
    """Write the line `Cost:` of a sweep file, wrapped."""
    took = f"{in_words(cost.seconds)} on {cost.n_cores} cores, {in_words(cost.processor)} of processor time"
    words, lines = f"Cost: {counts(sweep)}; {took} (python -m benchmarks.costs).".split(" "), ["#"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > WIDTH:
            lines.append("#  ")
        lines[-1] += f" {word}"
    return "\n".join(lines) + "\n"


def with_line(text: str, new: str) -> str:
    """Return the text of a sweep file with another line `Cost:`."""
    if len(_COST.findall(text)) != 1:
        raise ValueError("the opening comment has no line, or several lines, `# Cost: …`")
    return _COST.sub(lambda _: new, text)


def measured(path: Path, n_times: int = 2, keep: Path | None = None) -> Cost | str:
    """Run a sweep whole, in a home of its own, once if it is long; the last time counts. A text says why it failed.

    Args:
        path: the sweep file.
        n_times: how often it is run, if it is not long.
        keep: a folder in which databases, reports and what the command said of the last time stay.
    """
    found: Cost | str = "was not run"
    for _ in range(n_times):
        with TemporaryDirectory() as home:
            tracking = f"sqlite:///{home}/mlflow.db"
            environment = {**os.environ, "ROTHAMSTED_HOME": home, "MLFLOW_TRACKING_URI": tracking}
            command = [sys.executable, "-m", "rothamsted", "sweep", str(path)]
            before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
            if keep is not None:
                Path(home, "said.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
                kept = keep / path.parent.name / path.stem
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(home, kept)
        if done.returncode != 0:
            return _why(done)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found = Cost(seconds=seconds, processor=used, n_cores=len(os.sched_getaffinity(0)))
        if seconds >= LONG_SECONDS:
            break
    return found


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """The line in which a command says why it failed."""
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    said = [line for line in lines if line.startswith(("error:", "stopped:"))]
    return (said or lines or [f"exit status {done.returncode}"])[0]


def stated_seconds(text: str) -> float:
    """Return what a header says now; infinity if it gives no time in this program's words."""
    found = _TIMED.search(" ".join("".join(_COST.findall(text)).replace("\n#  ", "").split()))
    if found is None:
        return float("inf")
    return float(found[3]) if found[3] else 60 * int(found[1]) + int(found[2] or 0)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print each line, and write it where that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path, help="sweep files, or folders of them")
    parser.add_argument("--write", action="store_true", help="write the lines into the files")
    parser.add_argument("--most", type=float, default=float("inf"), help="leave out files that state more seconds")
    parser.add_argument("--busy", action="store_true", help="write on a machine that does something else, too")
    parser.add_argument("--keep", type=Path, help="a folder in which what each sweep found stays")
    options = parser.parse_args(words)
    if options.write and not options.busy and os.getloadavg()[0] > MOST_LOAD:
        print(f"load {os.getloadavg()[0]:.1f}: another program runs; nothing is measured. Give --busy to do it anyway")
        return 2
    files = [file for one in options.paths for file in (sorted(one.rglob("*.yaml")) if one.is_dir() else [one])]
    failed = 0
    for path in files:
        text = path.read_text(encoding="utf-8")
        if stated_seconds(text) > options.most:
            continue
        cost = measured(path.resolve(), keep=options.keep)
        if isinstance(cost, str):
            print(f"{path}: not measured: {cost}")
            failed += 1
            continue
        sweep, _ = load(path.resolve(), {}, ROOT)
        new = line(sweep, cost)
        print(f"{path}\n{new}", end="", flush=True)
        if options.write:
            path.write_text(with_line(text, new), encoding="utf-8")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
