"""Define the study contract: what a study must offer so that the engine can train it, log it, stop it and resume it.

A study makes a `Study` in its `__main__.py`, and shares nothing else with the engine. A study that breaks the contract
is refused when it is made.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import sys
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import BaseModel

from rothamsted.errors import DataError, StudyError
from rothamsted.metric import Metric, check_metrics, declared
from rothamsted.studies.fields import field_names, flatten
from rothamsted.studies.keep import Keep

SETUP_SECONDS = "setup_seconds"  # of imports, data and compilation, before training; known at the end
DRIVER_METRICS: Mapping[str, Metric] = {  # measured by the driver, in every study
    "seconds": Metric(direction="minimize", low=0, unit="s", label="seconds of training"),
    "samples_per_second": Metric(direction="maximize", low=0, unit="1/s", label="training samples a second"),
    SETUP_SECONDS: Metric(direction="minimize", low=0, unit="s", label="seconds before training"),
}
RESERVED_METRICS = frozenset(DRIVER_METRICS)


class MeasurementLike(Protocol):
    """Describes what a study's generator yields: one measurement of every member of the population.

    It may also have `artifacts: Callable[[], Sequence[Mapping[str, str | bytes]]] | None`: files to keep with this
    measurement. There is one mapping for each member, from a relative path (samples/step_000200.txt) to its text or
    bytes. It is called right after the measurement, or not at all if files are not kept, so it may not change what
    training does next.

    It may also have `keep: Callable[[np.ndarray], None]`: hold a copy of the present weights of the members of a mask,
    shape (member,), bool. It is called if the value of the metric that counts is the best so far: right after the
    measurement, before `artifacts` and `state`. The returned model has the weights held last, or the last weights if
    none were held; `state` gives them too. Without `keep` the model has the last weights.
    """

    @property
    def step(self) -> int:
        """Give the number of optimiser steps done. It grows from one measurement to the next."""
        ...

    @property
    def epoch(self) -> float | None:
        """Give the number of passes through the data done, or None if data are fresh at every step."""
        ...

    @property
    def metrics(self) -> Mapping[str, np.ndarray]:
        """Give the metrics: name to values, shape (member,). The names are the same in every measurement of a run."""
        ...

    @property
    def diverged(self) -> np.ndarray:
        """Say which members have diverged: shape (member,), bool."""
        ...

    @property
    def state(self) -> Callable[[], dict[str, np.ndarray]] | None:
        """Give a function that returns the arrays from which training goes on.

        It is called before the next measurement.

        None: training cannot go on from here, and no checkpoint is written.
        """
        ...


class FunctionLike(Protocol):
    """Describes the function that a study was made of; see `rothamsted.studies.function`."""

    @property
    def call(self) -> Callable[..., Any]:
        """Give the function itself."""
        ...

    @property
    def target(self) -> str:
        """Give its name in a sweep file: train.py:train, or :train if no file holds it."""
        ...

    @property
    def takes_state(self) -> bool:
        """Say whether it can go on from a state."""
        ...

    @property
    def code_digest(self) -> str:
        """Give the SHA-256 of its source and of what it calls, in hex."""
        ...

    def printed(self) -> str:
        """Give what its training has printed in this thread since it began."""
        ...

    def pickled(self) -> bytes:
        """Give all that another process needs to make the same study, pickled.

        Raises:
            StudyError: something cannot be pickled; the message names it.
        """
        ...


# None, at most once and first of all, says that set-up is over: imports, data, compilation. Training time starts there.
Training = Generator[MeasurementLike | None, None, Sequence[Any] | None]


@dataclass(frozen=True, kw_only=True)
class Study:
    """Describes a study to the engine: its config, its training and its metrics.

    Attributes:
        name: short name, as in `python -m projects.<name>`.
        config: frozen pydantic model of one run. It refuses unknown keys and has a field `seed`.
        train: generator function `train(configs, state=None)`; see docs/design.md.
        varies: dotted names of the fields that may differ between members of one population.
        rtol: relative tolerance to which a member of a population gets the metrics it would get alone.
        static_key: config -> hashable; configs with equal keys may share a population.
            None: all fields outside `varies` must be equal.
        extends: (new, old) -> whether `new` is the same training as `old`, only longer, so that it may go on from the
            last state of `old`. None: never.
        datasets: name -> function that makes a data file, called as `prepare(source=..., target=...)` with `source: str
            | None` and `target: Path | None`; it returns the file that it made. Further keyword parameters have types
            and defaults, and become options of the command line.
        data_digest: config -> digest of the data that it trains on, for the record.
        user_errors: exceptions of the study that are shown as one line of text, without a traceback.
        metrics: name -> what is known of the metric; a name may end in * (class_accuracy/*).
        rows: config -> (metric name -> number of rows) for metrics that are shares; None: not known.
        keeps: config -> which weights a run by hand keeps. In a sweep the objective decides. None: the last weights.
        monitor: dotted name of the field with the metric that ends training; in a sweep it is the objective's metric.
        uses_gpu: whether training uses a GPU if there is one; each worker then gets one.
        function: the function that the study was made of; None: a study of the full contract. A function need not log
            how many samples it has seen, and may measure other metrics at each step.
    """

    name: str
    config: type[BaseModel]
    train: Callable[..., Training]
    varies: frozenset[str] = frozenset()
    rtol: float
    static_key: Callable[[Any], Hashable] | None = None
    extends: Callable[[Any, Any], bool] | None = None
    datasets: Mapping[str, Callable[..., Path]] = field(default_factory=dict)
    data_digest: Callable[[Any], str] | None = None
    user_errors: tuple[type[Exception], ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    rows: Callable[[Any], Mapping[str, int]] | None = None
    keeps: Callable[[Any], Keep] | None = None
    monitor: str = ""
    uses_gpu: bool = False
    function: FunctionLike | None = None

    def __post_init__(self) -> None:
        """Refuse a study that breaks the contract."""
        _check_name(self.name)
        _check_config(self.name, self.config)
        _check_train(self.name, self.train)
        _check_varies(self.name, self.config, self.varies)
        if not (math.isfinite(self.rtol) and self.rtol >= 0):
            raise StudyError(f"study {self.name!r}: rtol must be a finite number of at least 0, not {self.rtol!r}")
        check_metrics(f"study {self.name!r}", self.metrics)
        if self.monitor and self.monitor not in field_names(self.config):
            known = ", ".join(field_names(self.config))
            raise StudyError(
                f"study {self.name!r}: monitor {self.monitor!r} is not a field of {self.config.__name__}; "
                f"known: {known}"
            )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function that the study was made of, as if it were none."""
        if self.function is None:
            raise StudyError(
                f"study {self.name!r}: was not made from a function and cannot be called; run it with main(), or "
                "call its train"
            )
        return self.function.call(*args, **kwargs)

    def main(self, argv: Sequence[str] | None = None) -> None:
        """Run the study's command line, and end the process.

        At the top level of a file that is only imported, it does nothing.

        Args:
            argv: the words of the command line; None: those of this process.
        """
        caller = sys._getframe(1)
        is_imported = caller.f_code.co_name == "<module>" and caller.f_globals.get("__name__") != "__main__"
        if is_imported:
            return
        from rothamsted.studies.by_hand import main

        main(self, argv)

    @property
    def known_metrics(self) -> Mapping[str, Metric]:
        """Give the declarations of all its metrics, the driver's included."""
        return {**DRIVER_METRICS, **self.metrics}

    def with_rows(self, rows: Mapping[str, int]) -> Study:
        """Give the same study with the number of `rows` of each share: metric name -> number."""
        counted = {name: replace(declared(self.metrics, name), rows=n) for name, n in rows.items()}
        return replace(self, metrics={**self.metrics, **counted})


def digest_of_data(study: Study, config: BaseModel) -> str | None:
    """Return the digest of the data that a config trains on, or None if the study gives none.

    Raises:
        DataError: the data cannot be used; the message is the study's, as one line.
    """
    return None if study.data_digest is None else _asked(study, study.data_digest, config)


def rows_of_shares(study: Study, configs: Sequence[BaseModel]) -> dict[str, int]:
    """Return over how many rows each share is taken, by name, for the shares on which all configs agree.

    Raises:
        DataError: as `digest_of_data`.
    """
    if study.rows is None:
        return {}
    first, *others = [_asked(study, study.rows, config) for config in configs]
    return {name: n for name, n in first.items() if all(one.get(name) == n for one in others)}


def _asked(study: Study, question: Callable[[Any], Any], config: BaseModel) -> Any:
    try:
        return question(config)
    except study.user_errors as error:
        raise DataError(" ".join(str(error).split())) from error


def population_key(study: Study, config: BaseModel) -> Hashable:
    """Return a key: configs with equal keys may be trained together, as one population with one compilation."""
    if study.static_key is not None:
        return study.static_key(config)
    fixed = {name: value for name, value in flatten(config).items() if name not in study.varies}
    return json.dumps(fixed, sort_keys=True)


def check_population(study: Study, configs: Sequence[BaseModel]) -> None:
    """Refuse a population that is empty, of another study, or whose members differ in a fixed field."""
    if not configs:
        raise StudyError(f"study {study.name!r}: a population needs at least one config; none were given")
    for config in configs:
        if not isinstance(config, study.config):
            raise StudyError(
                f"study {study.name!r} trains {study.config.__name__} objects, not {type(config).__name__}"
            )
    first = population_key(study, configs[0])
    for member, config in enumerate(configs):
        if population_key(study, config) != first:
            names = ", ".join(_differing(configs[0], config, study.varies)) or "its static key"
            raise StudyError(
                f"study {study.name!r}: member {member} differs from member 0 in {names}, which may not vary "
                f"in a population (may: {', '.join(sorted(study.varies)) or 'nothing'}); train it on its own"
            )


def _differing(first: BaseModel, other: BaseModel, varies: frozenset[str]) -> list[str]:
    left, right = flatten(first), flatten(other)
    names = sorted(set(left) | set(right))
    return [name for name in names if name not in varies and left.get(name) != right.get(name)]


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise StudyError(f"study {name!r}: a name is a letter, then letters, digits and underscores; rename the study")


def _check_config(name: str, config: Any) -> None:
    place = f"study {name!r}: config"
    if not (inspect.isclass(config) and issubclass(config, BaseModel)):
        raise StudyError(f"{place} must be a class derived from pydantic.BaseModel, not {config!r}")
    for key, wanted in {"frozen": True, "extra": "forbid"}.items():
        if config.model_config.get(key) != wanted:
            raise StudyError(
                f"{place} {config.__name__} must have {key}={wanted!r}, not {config.model_config.get(key)!r}; "
                f'write model_config = ConfigDict(frozen=True, extra="forbid")'
            )
    if "seed" not in config.model_fields:
        raise StudyError(f"{place} {config.__name__} has no field 'seed'; all randomness must come from it")
    if aliased := sorted(key for key, info in config.model_fields.items() if info.alias is not None):
        raise StudyError(f"{place} {config.__name__}: fields go by their own names; drop alias on {aliased}")


def _check_train(name: str, train: Any) -> None:
    if not inspect.isgeneratorfunction(train):
        raise StudyError(f"study {name!r}: train must be a generator function (it yields measurements), not {train!r}")
    parameters = list(inspect.signature(train).parameters.values())
    if len(parameters) < 2 or parameters[1].default is not None:
        raise StudyError(
            f"study {name!r}: train must be train(configs, state=None), not train{inspect.signature(train)}"
        )


def _check_varies(name: str, config: type[BaseModel], varies: frozenset[str]) -> None:
    known = field_names(config)
    if unknown := sorted(set(varies) - set(known)):
        raise StudyError(
            f"study {name!r}: varies names {', '.join(unknown)}, which {config.__name__} does not have; "
            f"known: {', '.join(known)}"
        )
