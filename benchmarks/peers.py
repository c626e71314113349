"""Compare ways to search with MLflow, this engine among them: cost of a replicate, start-up, kill -9, exact grids.

    python -m benchmarks.peers --cache ~/.cache/rothamsted-peers                # every peer, a few minutes
    python -m benchmarks.peers --cache DIR --only engine --only ray --json FILE

One run, one training and one grid for all; what was lost or doubled is counted by SQL in MLflow's database. The
environments of the others are made by pip in the folder once (peers-requirements.txt), and used again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import rothamsted
from benchmarks.peer_audit import Audit
from benchmarks.peer_cases import CASES, PAUSE_SECONDS, Case, PeerError, last_line
from benchmarks.peer_loops import NOTES, PAUSE
from benchmarks.project import REPOSITORY

REQUIREMENTS = REPOSITORY / "benchmarks" / "peers-requirements.txt"
N_VALUES_OF_B = 4
N_WORKERS = 4  # of the grid that must be exact
N_TIMED = 3  # a search is timed so often, and the median of each figure counts


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Describes one way to search."""

    name: str  # as --only takes it
    title: str
    loop: str  # the program in benchmarks/peer_loops
    environment: str | None  # of peers-requirements.txt; None: the Python that runs this
    most_cells: int = 60  # fewer where each is a process


@dataclass(frozen=True, kw_only=True)
class Row:
    """Holds what was measured of a peer; `why` says what could not be. Times are medians of `N_TIMED` searches."""

    peer: str
    cells: int
    ms_a_replicate: float | None = None  # between the beginnings of two trainings, one worker
    startup_seconds: float | None = None  # from the command to the first training
    whole_seconds: float | None = None  # the command
    killed: Audit | None = None
    grid: Audit | None = None
    why: str = ""


PEERS = (
    Peer(name="engine", title="rothamsted", loop="engine", environment=None),
    Peer(name="ray", title="Ray Tune, MLflow callback", loop="ray_tune", environment="optuna"),
    Peer(name="hydra", title="Hydra, Optuna sweeper, joblib", loop="hydra_optuna", environment="hydra"),
    Peer(name="fluent", title="Optuna, nested fluent runs", loop="fluent", environment="optuna"),
    Peer(name="storage", title="Optuna, MlflowStorage", loop="mlflow_storage", environment="optuna"),
    Peer(name="phasesweep", title="phasesweep", loop="phases", environment="phasesweep", most_cells=4),
    Peer(name="mlflow_run", title="`mlflow run` per trial", loop="mlflow_run", environment="optuna", most_cells=4),
)


def measure(peer: Peer, cache: Path, n_cells: int, limit_seconds: float, cases: Sequence[str] = tuple(CASES)) -> Row:
    """Run the cases of a peer; the row says why one cannot run."""
    n_a = max(1, min(n_cells, peer.most_cells) // N_VALUES_OF_B)
    row = Row(peer=peer.title, cells=n_a * N_VALUES_OF_B)
    try:
        python = Path(sys.executable) if peer.environment is None else python_of(peer.environment, cache)
    except PeerError as error:
        return replace(row, why=str(error))
    for name in cases:
        found = []
        try:
            for _ in range(N_TIMED if name == "timed" else 1):
                with prepared(peer, python, name, n_a, limit_seconds) as case:
                    found.append(CASES[name](case))
            row = replace(row, **(medians(found) if name == "timed" else found[0]))
        except PeerError as error:
            row = replace(row, why=f"{row.why}; {name}: {error}".removeprefix("; "))
    return row


def medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure of several searches.

    Example:
        >>> medians([{"startup_seconds": 1.9}, {"startup_seconds": 2.4}, {"startup_seconds": 2.0}])
        {'startup_seconds': 2.0}
    """
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


@contextmanager
def prepared(peer: Peer, python: Path, name: str, n_a: int, limit_seconds: float) -> Iterator[Case]:
    """Make a folder with MLflow's tables, and remove it at the end."""
    a = [round((k + 0.5) / n_a, 4) for k in range(n_a)]
    b = [round((k + 0.5) / N_VALUES_OF_B, 4) for k in range(N_VALUES_OF_B)]
    engine = Path(rothamsted.__file__).resolve().parents[1]
    paths = [str(REPOSITORY), *([str(engine)] if peer.environment is None else [])]
    loop = REPOSITORY / "benchmarks" / "peer_loops" / f"{peer.loop}.py"
    words = ["--a", ",".join(map(str, a)), "--b", ",".join(map(str, b))]
    with TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary).resolve()
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)]),
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "RAY_USAGE_STATS_ENABLED": "0",
            NOTES: str(folder / "notes"),
            PAUSE: str(PAUSE_SECONDS[name]),
        }
        make_tables = [str(python), "-m", "mlflow", "experiments", "search"]
        subprocess.run(make_tables, cwd=folder, env=environment, check=True, capture_output=True)
        n_workers = N_WORKERS if name == "grid" else 1
        command = [str(python), str(loop), *words, "--workers", str(n_workers)]
        yield Case(folder=folder, command=command, environment=environment, a=a, b=b, limit_seconds=limit_seconds)


def requirements_of(environment: str, text: str) -> str:
    """Return the lines of one environment: those after `# environment: NAME`, up to the next."""
    sections = text.split("# environment: ")[1:]
    return next(section.partition("\n")[2] for section in sections if section.split(maxsplit=1)[0] == environment)


def python_of(environment: str, cache: Path) -> Path:
    """Return the environment's Python; pip makes it if it is missing or its requirements have changed.

    Raises:
        PeerError: pip cannot install it.
    """
    folder = cache / environment
    done, wanted = folder / "installed", requirements_of(environment, REQUIREMENTS.read_text(encoding="utf-8"))
    python = folder / "bin" / "python"
    if done.exists() and done.read_text(encoding="utf-8") == wanted:
        return python
    venv.create(folder, with_pip=True, clear=True)
    (folder / "requirements.txt").write_text(wanted, encoding="utf-8")
    command = [python, "-m", "pip", "install", "--quiet", "-r", folder / "requirements.txt"]
    with (folder / "output").open("w", encoding="utf-8") as output:
        if subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode:
            raise PeerError(f"pip cannot install it: {last_line(folder / 'output')}")
    done.write_text(wanted, encoding="utf-8")  # last: an environment that was cut off is made again
    return python


def markdown(rows: Sequence[Row]) -> str:
    """Write the table; a dash if a peer gave no figure, and why in the last column."""
    ours = next((row.ms_a_replicate for row in rows if row.peer == PEERS[0].title), None)
    lines = [
        "| | ms a replicate | x ours | start-up, s | whole, s | killed twice, resumed | grid, four workers | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = None if ours is None or row.ms_a_replicate is None else row.ms_a_replicate / ours
        figures = (row.ms_a_replicate, times, row.startup_seconds, row.whole_seconds)
        cells = [row.peer, *("-" if value is None else f"{value:.3g}" for value in figures)]
        cells += ["-" if found is None else str(found) for found in (row.killed, row.grid)]
        lines.append(f"| {' | '.join([*cells, f'{row.cells} replicates' + (f'; {row.why}' if row.why else '')])} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for, print the table; 0 also where a peer cannot run, since its row says so."""
    options = _options(arguments)
    load, rows, cases = os.getloadavg()[0], [], options.case or tuple(CASES)
    for peer in PEERS:
        if options.only and peer.name not in options.only:
            continue
        print(f"{peer.title} ...", file=sys.stderr, flush=True)
        rows.append(measure(peer, options.cache.expanduser().resolve(), options.cells, options.limit, cases))
        loads = f"load {load:.1f} at the beginning, {os.getloadavg()[0]:.1f} at the end"
        title = f"{os.cpu_count()} cores, Python {platform.python_version()}, {loads}"
        if options.json is not None:  # after each, so that a run that is cut off leaves what it found
            document = {"machine": title, "rows": [asdict(row) for row in rows]}
            options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{title}\n\n{markdown(rows)}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps the environments")
    parser.add_argument("--only", action="append", choices=[peer.name for peer in PEERS], help="may be given again")
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this one; may be given again")
    parser.add_argument(
        "--cells",
        type=int,
        default=24,
        help="conditions of the grid, a multiple of 4 (4 where each is a process)",
    )
    parser.add_argument("--limit", type=float, default=300.0, help="seconds that one command may take")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    options = parser.parse_args(arguments)
    if options.cells < N_VALUES_OF_B or options.cells % N_VALUES_OF_B:
        parser.error(f"--cells must be a multiple of {N_VALUES_OF_B}, not {options.cells}")
    if not math.isfinite(options.limit) or options.limit <= 0:
        parser.error(f"--limit must be seconds above 0, not {options.limit}")
    return options


if __name__ == "__main__":
    sys.exit(main())
