"""Train a function by the study contract: one config at a time, its reports as measurements."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from pydantic import BaseModel

from rothamsted.errors import StudyError
from rothamsted.metric import RETURNED
from rothamsted.reported import Reported, made, report
from rothamsted.studies.function.files import contents_of
from rothamsted.studies.function.handover import items_of
from rothamsted.studies.function.printed import copied
from rothamsted.studies.function.seeding import seed_generators
from rothamsted.studies.function.signature import SEED, STATE, Signature
from rothamsted.studies.function.state import packed, unpacked

EXAMPLE = '{"val_loss": 0.1}'
RUNNING = np.zeros(1, bool)  # nobody says that a function has diverged: its objective does, at the end


@dataclass(frozen=True, kw_only=True)
class FunctionMeasurement:
    """Holds one report, as the driver takes it."""

    step: int
    epoch: float | None
    metrics: Mapping[str, np.ndarray]
    state: Callable[[], dict[str, np.ndarray]] | None
    artifacts: Callable[[], Sequence[Mapping[str, str | bytes]]] | None
    diverged: np.ndarray = field(default_factory=lambda: RUNNING)


def training_of(
    function: Callable[..., Any], signature: Signature, lines: Callable[[], list[str]], place: str
) -> Callable[..., Generator[FunctionMeasurement, None, list[Any] | None]]:
    """Make the generator function `train(configs, state=None)` of a function's study.

    Args:
        function: the user's.
        signature: how it is called.
        lines: where what it prints is added, asked at the begin of each training.
        place: the function, as errors call it.
    """

    def train(
        configs: Sequence[BaseModel], state: Mapping[str, np.ndarray] | None = None
    ) -> Generator[FunctionMeasurement, None, list[Any] | None]:
        [config] = configs
        restored, step = (None, 0) if state is None else unpacked(state, place)
        arguments = signature.arguments(config)
        more = {STATE: restored} if signature.takes_state else {}

        def run() -> Any:
            seed_generators(int(getattr(config, SEED)))
            with copied(lines()):
                result = function(**arguments, **more)
                return _drained(result) if inspect.isgenerator(result) else result

        items = items_of(run)
        try:
            while True:
                try:
                    reported = next(items)
                except StopIteration as ended:
                    result = ended.value
                    break
                step = step + 1 if reported.step is None else reported.step
                yield _measured(reported, step, signature, place)
                if restored is not None:
                    restored.go_on()
        finally:
            items.close()
        reported, model = _result_of(result, place, has_measured=step > 0)
        if reported is not None:
            yield _measured(reported, step + 1 if reported.step is None else reported.step, signature, place)
        return None if model is None else [model]

    return train


def _drained(generator: Generator[Any, Any, Any]) -> Any:
    """Report what a generator yields; return what it returns. It is closed where a report ends the training."""
    try:
        while True:
            try:
                given = next(generator)
            except StopIteration as ended:
                return ended.value
            if given is None:
                continue  # says that set-up is over, in the full contract
            if not isinstance(given, Mapping):
                raise TypeError(f"yielded a value of type {type(given).__name__}; yield metrics, such as {EXAMPLE}")
            report(given)
    finally:
        generator.close()


def _measured(reported: Reported, step: int, signature: Signature, place: str) -> FunctionMeasurement:
    state = reported.state
    if state is not None and not signature.takes_state:
        raise StudyError(f"{place}: reports a state and cannot go on from one; give it a parameter state=None")
    packing = None if state is None else partial(packed, state, step=step, place=place)
    return measurement_of(reported, step, state=packing, place=place)


def measurement_of(
    reported: Reported, step: int, *, state: Callable[[], dict[str, np.ndarray]] | None, place: str
) -> FunctionMeasurement:
    """Make the measurement of one member from a report; `place` is who reports, as errors call it."""
    artifacts = reported.artifacts
    return FunctionMeasurement(
        step=step,
        epoch=reported.epoch,
        metrics={name: np.array([value]) for name, value in reported.metrics.items()},
        state=state,
        artifacts=(lambda: [contents_of(artifacts, place)]) if artifacts else None,
    )


def _result_of(result: Any, place: str, *, has_measured: bool) -> tuple[Reported | None, Any]:
    """What a function returned, as a last measurement, if it has one, and a model, if it gave one."""
    metrics, model = result, None
    if isinstance(result, tuple) and len(result) == 2 and (_is_number(result[0]) or isinstance(result[0], Mapping)):
        metrics, model = result
    if _is_number(metrics):
        return made({RETURNED: metrics}), model
    if isinstance(metrics, Mapping):
        if metrics or has_measured:
            return (made(metrics) if metrics else None), model
    elif has_measured:
        return None, result
    shown = "None" if result is None else f"a value of type {type(result).__name__}"
    raise StudyError(
        f"{place}: returned {shown} and reported nothing; return a number, metrics such as {EXAMPLE}, "
        "or (metrics, model); or report or yield metrics"
    )


def _is_number(value: Any) -> bool:
    """Whether a value is one number: also a tensor or an array without axes."""
    if isinstance(value, str | bytes) or getattr(value, "ndim", 0) != 0:
        return False
    return hasattr(type(value), "__float__") or hasattr(type(value), "__index__")
