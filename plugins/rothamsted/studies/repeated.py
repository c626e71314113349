"""Check whether trainings of one config give the same numbers, bit by bit: trained twice, and stopped and resumed.

Only studies of functions are checked. A study of the full contract promises it, and its own tests check it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from rothamsted.records import Ending, Measured
from rothamsted.studies.checkpoint import Checkpoint
from rothamsted.studies.contract import RESERVED_METRICS, Study
from rothamsted.studies.driver import drive

TIMES = re.compile(r"time|second|duration|elapsed|throughput|speed|memory|^system/", re.IGNORECASE)  # differ anyway


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """Holds what came of training again.

    Attributes:
        how: what was done, in words.
        differs: what was not the same the second time, with what may be the cause; empty: nothing.
    """

    how: str
    differs: str = ""


def repeat(study: Study, config: BaseModel, *, timeout_seconds: float) -> Repeated:
    """Train a config twice; where the function takes a state, stop it half-way, too, and go on from there.

    Args:
        study: of a function.
        config: one run of it.
        timeout_seconds: most seconds of one training; what was measured until then is compared.
    """
    first, second = (_trained(study, config, timeout_seconds) for _ in range(2))
    if found := _difference(first.history, second.history):
        seeded = "random, NumPy's global generator, torch and Keras are seeded; pass seed to other generators"
        return Repeated(how="trained twice", differs=f"trained twice, {found}: {seeded}, or name what is not exact")
    if len(first.history) < 2 or study.function is None or not study.function.takes_state:
        return Repeated(how="trained twice")
    resumed = _resumed(study, config, timeout_seconds, after=len(first.history) // 2)
    if found := _difference(first.history, resumed.history):
        cause = "keep all that training changes in state, and read it after the model is built"
        return Repeated(how="trained twice", differs=f"stopped and gone on with, {found}: {cause}")
    return Repeated(how="trained twice, and stopped half-way and gone on with")


def _trained(study: Study, config: BaseModel, timeout_seconds: float) -> Ending:
    return drive(study, [config], on_measurement=lambda member, one: None, timeout_seconds=timeout_seconds)[0]


def _resumed(study: Study, config: BaseModel, timeout_seconds: float, *, after: int) -> Ending:
    """Train to the measurement of a number, stop, and go on from the checkpoint."""
    measured: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="rothamsted-check-") as folder:
        checkpoint = Checkpoint(folder=Path(folder) / "checkpoints")
        for should_stop in (lambda: len(measured) >= after, lambda: False):
            [ending] = drive(
                study,
                [config],
                on_measurement=lambda member, one: measured.append(one),
                checkpoint=checkpoint,
                should_stop=should_stop,
                timeout_seconds=timeout_seconds,
            )
    return ending


def _difference(first: Sequence[Measured], second: Sequence[Measured]) -> str:
    """The first number that is not the same; empty: as far as both go all are."""
    for one, other in zip(first, second):
        if one.step != other.step:
            return f"step {one.step} was step {other.step}"
        for name in sorted(set(one.metrics) | set(other.metrics)):
            if name in RESERVED_METRICS or TIMES.search(name):
                continue
            was, now = one.metrics.get(name), other.metrics.get(name)
            if repr(was) != repr(now):
                return f"{name} at step {one.step} was {was!r} and then {now!r}"
    return ""
