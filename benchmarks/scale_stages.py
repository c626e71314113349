"""Time two stages of `benchmarks.scale` in fresh processes: deciding what is left of a sweep, and Optuna's TPE alone.

python -m benchmarks.scale_stages decide SWEEP.yaml
python -m benchmarks.scale_stages ask OPTUNA.db TRIALS ASKED
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import optuna
from sqlalchemy import event

from rothamsted.search.samplers import sampler_named, seed_of_trial
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.opened import open_started
from rothamsted.sweeping.phases.order import phases_of
from rothamsted.tracking import tracking_uri

N_PARTS = 10


def decide(path: Path) -> dict[str, Any]:
    """Measure reading a search and asking every phase what it lacks: processor time, and number of queries."""
    sweep, study = load(path, {}, path.parent)
    of_sweep = {"root": path.parent, "find_target": lambda whole: study, "tracking_uri": tracking_uri()}
    with open_started(sweep.name, sweep.storage, **of_sweep) as opened:
        seen: list[str] = []
        event.listen(opened.queue._database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
        began = time.process_time()
        counts = opened.queue.counts()
        data = opened.data()
        steps = [phase.next(data) for phase in phases_of(sweep)]
        seconds = time.process_time() - began
    if counts.waiting or counts.running or any(steps):
        raise RuntimeError(f"sweep {sweep.name} is not over: {counts}")
    return {"seconds": seconds, "n_queries": len([text for text in seen if text.startswith("SELECT")])}


def ask(path: str, n_trials: int, n_asked: int) -> dict[str, Any]:
    """Time Optuna's TPE for one condition in the middle of each tenth, all trials in memory: milliseconds."""
    [name] = [one.study_name for one in optuna.get_all_study_summaries(f"sqlite:///{path}")]
    whole = optuna.load_study(study_name=name, storage=f"sqlite:///{path}").trials
    if (make := sampler_named("tpe").adaptive) is None:
        raise TypeError("tpe is not adaptive")
    distributions = whole[-1].distributions
    found = []
    for part in range(N_PARTS):
        known = whole[: round((part + 0.5) * n_trials / N_PARTS)]
        study = optuna.create_study(direction="minimize")
        study.add_trials(known)
        seconds = 0.0
        for number in range(len(known), len(known) + n_asked):
            study.sampler = make(seed_of_trial(0, number), [])
            began = time.process_time()
            trial = study.ask()
            for parameter, distribution in distributions.items():
                trial._suggest(parameter, distribution)
            seconds += time.process_time() - began
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        found.append(1000 * seconds / n_asked)
    return {"ms": found}


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kind, *given = sys.argv[1:]
    print(json.dumps(decide(Path(given[0])) if kind == "decide" else ask(given[0], int(given[1]), int(given[2]))))
