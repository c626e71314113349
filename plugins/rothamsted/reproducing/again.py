"""Train one recorded replicate again: a study in a new process, a command or a project as a sweep starts it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rothamsted
from rothamsted import tags
from rothamsted.errors import StudyError, UserError
from rothamsted.reproducing.recorded import Points, Recorded, points_of
from rothamsted.spec import Sweep, resolved
from rothamsted.studies import machine_facts
from rothamsted.sweeping.foreign_study import check_variables, open_foreign
from rothamsted.sweeping.open.try_process import try_parameters
from rothamsted.sweeping.scores import scored
from rothamsted.tracking.address import BY_SSH
from rothamsted.tracking.environment import THREAD_VARIABLES, thread_variables, threads


@dataclass(frozen=True, kw_only=True)
class Again:
    """Holds what came of training again.

    Attributes:
        points: all that it measured.
        outcome: how it ended: finished, diverged, interrupted where only a part was asked for.
        final_state: digest of the trained model's arrays; empty: it shows none.
        rtol: tolerance of the study; None: it states none.
        code_digest, data_digest: of what it was trained with; empty: not known.
        facts: where it was trained now, by the names of `tags.ORIGIN`.
    """

    points: Points
    outcome: str
    final_state: str = ""
    rtol: float | None = None
    code_digest: str = ""
    data_digest: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def train_again(recorded: Recorded, root: Path) -> Again:
    """Train a recorded replicate with the code in a folder.

    Raises:
        UserError: it cannot be trained there, or fails.
    """
    if recorded.sweep is not None and recorded.sweep.is_foreign:
        return _start(recorded, recorded.sweep, root)
    with tempfile.TemporaryDirectory(prefix="rothamsted-again-") as folder:
        output = Path(folder) / "came.json"
        asked = {
            "study": recorded.study,
            "config": recorded.config,
            "sweep": None if recorded.sweep is None else resolved(recorded.sweep),
            "to_step": max((step for step, _ in recorded.points), default=None) if recorded.is_cut else None,
            "output": str(output),
        }
        done = subprocess.run(
            [sys.executable, "-m", "rothamsted.reproducing.child"],
            input=json.dumps(asked),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            errors="replace",
            check=False,
            cwd=root,
            env=_environment(recorded),
        )
        if not output.is_file():
            said = " | ".join(line for line in done.stdout.splitlines() if line.strip())
            raise StudyError(f"{_place(recorded)}: its process ended with status {done.returncode}: {said[-600:]}")
        came = json.loads(output.read_text(encoding="utf-8"))
    if "error" in came:
        raise UserError(f"{_place(recorded)}: {came['error']}")
    if came["outcome"] == "failed":
        raise StudyError(f"{_place(recorded)}: training failed: {came['reason']}")
    points = {(int(step), name): float(value) for step, name, value in came["points"]}
    others = {key: came[key] for key in ("outcome", "final_state", "rtol", "code_digest", "data_digest", "facts")}
    return Again(points=points, **others)


def _start(recorded: Recorded, sweep: Sweep, root: Path) -> Again:
    """Start the command or the project's entry point with the recorded parameters."""
    commit = recorded.facts.get("rothamsted.project_commit")
    if sweep.project and commit and ("://" in sweep.project or BY_SSH.match(sweep.project)):
        sweep = sweep.model_copy(update={"version": commit})
    check_variables(sweep)
    study = open_foreign(sweep, root)
    own = _with_threads(recorded)
    tried = try_parameters(sweep, study, _flat(recorded.config), most_seconds=math.inf, own=own)
    history = [scored(measured, sweep) for measured in tried.history]
    facts = {**machine_facts(), tags.THREADS: threads(own)}
    return Again(points=points_of(history), outcome="finished", code_digest=study.code_digest, facts=facts)


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted names of a config's values."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _environment(recorded: Recorded) -> dict[str, str]:
    """The variables of the child: this engine, as many threads as were recorded, and no outer run to log to."""
    own = {key: value for key, value in _with_threads(recorded).items() if key != "MLFLOW_RUN_ID"}
    engine = str(Path(rothamsted.__file__).resolve().parent.parent)
    return {**own, "PYTHONPATH": os.pathsep.join(filter(None, [engine, own.get("PYTHONPATH", "")]))}


def _with_threads(recorded: Recorded) -> dict[str, str]:
    """The variables here, with as many threads as were recorded."""
    own = dict(os.environ)
    if said := recorded.facts.get(tags.THREADS):
        own = {key: value for key, value in own.items() if key not in THREAD_VARIABLES} | thread_variables(said)
    return own


def _place(recorded: Recorded) -> str:
    return f"reproduce: run {recorded.run.run_id}"
