"""Log the trained models of a sweep, and record those that could not be logged.

A replicate is finished when it is trained. A model that cannot be logged is only a tag on its run and a line at the
end.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from rothamsted import tags
from rothamsted.analysis.ranking import means_of, ranked
from rothamsted.analysis.read_search import KEYS, dataset_of
from rothamsted.analysis.values import Dataset, Replicate
from rothamsted.errors import UserError
from rothamsted.records import MetricPoint
from rothamsted.search import ToldTrial
from rothamsted.studies import Study
from rothamsted.studies.scripts import is_script_module
from rothamsted.studies.source_code import study_code
from rothamsted.studies.trained import missing_parts
from rothamsted.sweeping.histories import PARAMETERS, PREDICT_MS
from rothamsted.sweeping.opened import Opened

TIMED_CALLS, TIMED_SECONDS = 5, 0.1  # of predict: at most so many, and none after so long
STOPPED = "it was stopped early, and a study returns its model at its end; remove early_stopping to have one"
NO_MODEL = "the study returns no trained model; let train return one a member, or give models: none"


@dataclass(frozen=True, kw_only=True)
class ModelNote:
    """Says what became of one replicate's model: exactly one of the two fields is not empty."""

    uri: str = ""
    problem: str = ""

    @classmethod
    def of(cls, replicate: Replicate) -> ModelNote | None:
        """Return what became of the model of an ended replicate; None if there is nothing to say."""
        note = cls(uri=replicate.model, problem=replicate.model_problem)
        return note if note.uri or note.problem else None

    def as_told(self) -> dict[str, str]:
        """Return it as the search keeps it."""
        return {"uri": self.uri} if self.uri else {"problem": self.problem}


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Holds a trained replicate with everything that its model is logged with."""

    run_id: str
    model: Any
    step: int  # of the last measurement
    kept_step: int  # whose weights the model has
    timestamp_ms: int
    metrics: frozenset[str]  # that its run has already
    params: Mapping[str, str]
    tags: Mapping[str, str]
    stopped_early: str = ""  # why its training was stopped before it ended by itself


class ModelLogger:
    """Logs the models of one worker. It reads the study's source files when it is made, as the worker imports them."""

    def __init__(self, search: Opened) -> None:
        self._said = search.sweep.models
        self._code, self._code_problem, self._function_digest = None, "", ""
        self._best_mean: float | None = None  # of the conditions that were the best when they were looked at
        study = search.sweep.study
        function = search.study.function if isinstance(search.study, Study) else None
        self._is_function = function is not None
        if function is not None:
            self._function_digest = function.code_digest
        if (
            self._is_function
            or study is None
            or self._said == "none"
            or (self._said is None and search.sweep.confirm is None)
        ):
            return
        try:
            self._code = study_code(study, search.root)
        except (UserError, OSError) as error:
            self._code_problem = " ".join(str(error).split())

    def log(self, context: Opened, trained: Trained) -> ModelNote | None:
        """Flush the run, log the model and tag the run; None if there is nothing to log or to say."""
        if trained.model is None and trained.stopped_early and not context.sweep.is_foreign:
            note = ModelNote(problem=STOPPED)
        elif trained.model is None:
            note = ModelNote(problem=NO_MODEL) if self._said is not None else None
        else:
            try:
                note = ModelNote(uri=self._write(context, trained))
            except Exception as error:  # whatever a study's model does: the numbers stand
                note = ModelNote(problem=_reason(error))
        if note is not None:
            context.recorder.log(trained.run_id, tags=self._tags(note))
        return note

    def is_best(self, context: Opened, mine: ToldTrial) -> bool:
        """Return whether a condition, just before its result is written, is the best of the search so far.

        The results of the others are read only if they can matter. Without a race the best mean never gets worse, so a
        condition that was not better than an earlier best is not better now. This does not hold if a replicate is
        missing, because the mean is then adjusted by the other conditions.
        """
        sweep = context.sweep
        alone = dataset_of(sweep, [mine])
        if not ranked(alone):
            return False
        mean = means_of(alone)[mine.number][0]
        sign = 1.0 if sweep.objective.direction == "minimize" else -1.0
        is_fixed = sweep.replicates.racing is None and _is_whole(alone, mine.number)
        if is_fixed and self._best_mean is not None and sign * mean > sign * self._best_mean:
            return False
        found = dataset_of(sweep, [mine, *(t for t in context.queue.trials(KEYS) if t.number != mine.number)])
        best = ranked(found)[0]
        if _is_whole(found, best):
            self._best_mean = means_of(found)[best][0]
        return best == mine.number

    def _write(self, context: Opened, trained: Trained) -> str:
        if self._is_function:
            return self._write_function_model(context, trained)
        if missing := missing_parts(trained.model):
            raise _UnfitError(f"the study's model has no {', '.join(missing)}; see the contract in docs/design.md")
        if self._code is None:
            raise _UnfitError(self._code_problem)
        from rothamsted.tracking.models.model_files import (  # MLflow's models import pandas: a second
            check_model,
            log_model,
        )

        checked = check_model(trained.model, self._code)
        own = {PARAMETERS: _n_parameters(trained.model), PREDICT_MS: _predict_ms(trained.model)}
        points = [
            MetricPoint(key, value, trained.timestamp_ms, trained.step)
            for key, value in own.items()
            if key not in trained.metrics
        ]
        context.recorder.log(trained.run_id, metrics=points)
        context.recorder.flush()
        return log_model(
            checked,
            self._code,
            run_id=trained.run_id,
            experiment_id=context.experiment_id,
            uri=context.tracking_uri,
            step=trained.kept_step,
            params=trained.params,
            tags={**trained.tags, tags.CODE_DIGEST: self._code.digest},
        )

    def _write_function_model(self, context: Opened, trained: Trained) -> str:
        """Log the model of a function, by MLflow's own flavour."""
        from rothamsted.tracking.models.flavour_model import flavour_model, log_flavour_model

        function = context.study.function if isinstance(context.study, Study) else None
        own = getattr(getattr(function, "call", None), "__module__", None)
        model = flavour_model(trained.model, (own,) if own and is_script_module(own) else ())
        context.recorder.flush()
        return log_flavour_model(
            model,
            run_id=trained.run_id,
            experiment_id=context.experiment_id,
            uri=context.tracking_uri,
            step=trained.kept_step,
            params=trained.params,
            tags={**trained.tags, tags.CODE_DIGEST: self._function_digest},
        )

    def _tags(self, note: ModelNote) -> dict[str, str]:
        code_digest = self._code.digest if self._code is not None else self._function_digest
        digest = {tags.CODE_DIGEST: code_digest} if code_digest else {}
        return {tags.MODEL: note.uri, **digest} if note.uri else {tags.MODEL_PROBLEM: note.problem[:500], **digest}


@dataclass(kw_only=True)
class TrialModels:
    """Keeps the models of one claimed trial.

    Attributes:
        logger: the worker's logger; None: nothing is logged.
        context: the sweep.
        kept: which models are kept: of all replicates, of the best condition's, or none.
        notes: replicate -> what became of its model.
    """

    logger: ModelLogger | None
    context: Opened
    kept: Literal["all", "best", "none"]
    notes: dict[int, ModelNote] = field(default_factory=dict)
    _waiting: dict[int, Trained] = field(default_factory=dict)  # to be logged if the condition is the best

    def take(self, replicate: int, trained: Callable[[], Trained]) -> None:
        """Log the model of a finished replicate, keep it until its condition ends, or drop it."""
        if self.logger is not None and self.kept == "all":
            self._log(self.logger, replicate, trained())
        elif self.logger is not None and self.kept == "best":
            self._waiting[replicate] = trained()

    def log_if_best(self, mine: Callable[[], ToldTrial]) -> None:
        """Log the waiting models if their condition, just before its result is written, is the best of the search."""
        if self.logger is not None and self._waiting and self.logger.is_best(self.context, mine()):
            for replicate in sorted(self._waiting):
                self._log(self.logger, replicate, self._waiting[replicate])
        self._waiting.clear()

    def as_told(self) -> dict[str, Any]:
        """Return what the search keeps of them; nothing if there is nothing to say."""
        told = {str(replicate): note.as_told() for replicate, note in sorted(self.notes.items())}
        return {"models": told} if told else {}

    def _log(self, logger: ModelLogger, replicate: int, trained: Trained) -> None:
        note = logger.log(self.context, trained)
        if note is not None:
            self.notes[replicate] = note


def _is_whole(found: Dataset, number: int) -> bool:
    """Whether no replicate of a condition is missing."""
    return all(one.outcome == "finished" for one in found.replicates if one.condition == number)


class _UnfitError(Exception):
    """A model that breaks the study contract, or whose code cannot travel with it."""


def _reason(error: Exception) -> str:
    from rothamsted.tracking.failures import one_line
    from rothamsted.tracking.models.model_files import ModelError

    text = str(error) if isinstance(error, (ModelError, _UnfitError)) else f"{type(error).__name__}: {one_line(error)}"
    return " ".join(text.split())


def _n_parameters(model: Any) -> float:
    return float(sum(math.prod(np.shape(array)) for array in model.parameters.values()))


def _predict_ms(model: Any) -> float:
    """Median milliseconds of a prediction for the whole input example, on the machine that trained; warm."""
    taken: list[float] = []
    while len(taken) < TIMED_CALLS and sum(taken) < TIMED_SECONDS:
        started = time.perf_counter()
        model.predict(model.input_example)
        taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)
