"""Try one replicate of a foreign project or command for `check`: how long it takes and what it measures.

It logs to a temporary tracking store, so nothing is left in any database.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rothamsted.errors import StudyError
from rothamsted.foreign.left_behind import THREE_WAYS, LeftBehind
from rothamsted.foreign.process import Exit, watch
from rothamsted.foreign.report_lines import ReportError
from rothamsted.recordable import metric_fault
from rothamsted.records import Measured
from rothamsted.spec import Sweep
from rothamsted.sweeping.foreign_study import ForeignStudy, Starter, parameters_of
from rothamsted.sweeping.histories import as_history, with_artifacts
from rothamsted.sweeping.scores import sources_of
from rothamsted.sweeping.trial_summary import now_ms
from rothamsted.tracking import open_recorder
from rothamsted.tracking.projects.command import run_variables
from rothamsted.tracking.temporary import new_store

GRACE_SECONDS = 2.0  # of a process that is only tried


@dataclass(frozen=True, kw_only=True)
class TriedProcess:
    """Holds the result of one process that was tried.

    Attributes:
        seconds: seconds that it took, without imports that are made ahead.
        has_ended: whether it ended by itself; False: it was stopped after the longest time.
        history: its measurements.
    """

    seconds: float
    has_ended: bool
    history: tuple[Measured, ...]


def try_process(stage: Sweep, study: ForeignStudy, condition: dict[str, Any], *, most_seconds: float) -> TriedProcess:
    """Train one condition with the first seed; see `try_parameters`."""
    parameters = parameters_of(stage, condition, stage.replicates.values[0])
    return try_parameters(stage, study, parameters, most_seconds=most_seconds)


def try_parameters(
    stage: Sweep,
    study: ForeignStudy,
    parameters: dict[str, Any],
    *,
    most_seconds: float,
    own: Mapping[str, str] | None = None,
) -> TriedProcess:
    """Train one replicate.

    Args:
        stage: a sweep, or one of its stages.
        study: what it trains.
        parameters: parameters of the replicate, including its seed.
        most_seconds: time after which it is stopped.
        own: the environment before the sweep's variables; None: this process's.

    Raises:
        UserError: it cannot be started, fails, or gives no readable numbers.
    """
    with tempfile.TemporaryDirectory(prefix="rothamsted-check-") as folder:
        top = Path(folder).resolve()
        uri, experiment_id = new_store(top)
        starter = Starter(sweep=stage, study=study, say=lambda line: None, own=own)
        try:
            with open_recorder(uri) as recorder:
                run_id = recorder.open_run(
                    experiment_id=experiment_id, name="tried", parent_id=None, tags={}, params={}, start_ms=now_ms()
                )
                recorder.flush()
                left = LeftBehind(run_id=run_id, uri=uri, recorder=recorder, folder=top / "replicate", now_ms=now_ms)
                variables = run_variables(run_id, experiment_id, uri) | left.variables
                running = starter.start(parameters, variables, left.log_path, left.folder)
                limit = stage.execution.memory_limit
                ended = watch(running, time_limit=most_seconds, memory_limit=limit, grace_seconds=GRACE_SECONDS)
                return _seen(stage, ended, left)
        finally:
            starter.close()


def _seen(stage: Sweep, ended: Exit, left: LeftBehind) -> TriedProcess:
    """What the process showed.

    Raises:
        UserError: it failed.
    """
    if ended.reason == "timeout":
        return TriedProcess(seconds=ended.seconds, has_ended=False, history=())
    place = f"a replicate of {stage.name}, tried here, failed"
    try:
        left.follow(is_over=True)
    except ReportError as error:
        raise StudyError(f"{place}: {error}") from None
    if failure := ended.failure() or left.own_failure(ended):
        raise StudyError(f"{place}: {failure}")
    left.keep_files()
    wanted = sources_of([objective.metric for objective in stage.objectives], stage)
    try:
        points = left.history(wanted, ended.tail)
    except ReportError as error:
        raise StudyError(f"{place}: {error}") from None
    if fault := next(filter(None, (metric_fault(point.key) for point in points)), ""):
        raise StudyError(f"{place}: {fault}")
    left.recorder.flush()
    history = with_artifacts(as_history(points), stage, left.run_id, uri=left.uri, timestamp_ms=now_ms())
    if not history:
        raise StudyError(f"{place}: {THREE_WAYS}")
    return TriedProcess(seconds=ended.seconds, has_ended=True, history=history)
