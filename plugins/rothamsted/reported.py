"""Report metrics from inside a training: to the sweep that runs it, to a file, or to the terminal.

It imports only the standard library, so that any script can import it quickly.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

FILE_VARIABLE = "ROTHAMSTED_REPORT"  # names the file to which a process that a sweep has started reports
OTHER_THREAD = (
    "report: was called in another thread than that of the training; hand the numbers over to the thread of the "
    "training and report there"
)
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class Reported:
    """Holds one report.

    Attributes:
        metrics: name to number.
        step: step of training; None: the next one.
        epoch: number of passes through the data.
        state: state from which training can go on, or a function that gives it; None: none is kept.
        artifacts: file name to content.
    """

    metrics: Mapping[str, float]
    step: int | None = None
    epoch: float | None = None
    state: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None
    artifacts: Mapping[str, Any] = field(default_factory=dict)


Sink = Callable[[Reported], None]
_sink: ContextVar[Sink | None] = ContextVar("rothamsted_report", default=None)
_sinks: list[Sink] = []  # of all trainings of this process


def report(
    metrics: Mapping[str, Any] = _NOTHING,
    /,
    *,
    step: int | None = None,
    epoch: float | None = None,
    state: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
    artifacts: Mapping[str, Any] = _NOTHING,
    **more_metrics: Any,
) -> None:
    """Report numbers that training has measured.

    In a sweep they are logged and judged. If the sweep stops the training, this call raises a BaseException: clean up
    in `finally`. If the environment variable ROTHAMSTED_REPORT names a file, a line of JSON is appended to it.
    Otherwise the numbers are printed.

    Args:
        metrics: name to number. The names `step`, `epoch`, `state` and `artifacts` in it mean the same as below.
        step: step of training; it must grow. None: one more than the last, from 1.
        epoch: number of passes through the data.
        state: state from which training can go on, or a function that gives it. The function is called only when a
            checkpoint is due.
        artifacts: file name to text, bytes, Path, figure, image or DataFrame.
        more_metrics: further metrics, by name.

    Raises:
        TypeError: a value is not one number; the line names it.
        RuntimeError: the sweep started the training in another thread.

    Example:
        >>> report(loss=0.25, step=3)
        step 3  loss 0.25
    """
    words = {"step": step, "epoch": epoch, "state": state, "artifacts": artifacts or None}
    reported = made({**metrics, **more_metrics, **{word: value for word, value in words.items() if value is not None}})
    sink = _sink.get()
    if sink is not None:
        sink(reported)
    elif _sinks:
        raise RuntimeError(OTHER_THREAD)
    elif path := os.environ.get(FILE_VARIABLE):
        _append(path, reported)
    else:
        print(_line(reported))


def is_listened_to() -> bool:
    """Say whether reports of this context go to a sweep, or to a file that a sweep has named."""
    return _sink.get() is not None or bool(os.environ.get(FILE_VARIABLE))


def made(given: Mapping[str, Any]) -> Reported:
    """Make a report from one mapping, as a study yields it.

    Raises:
        TypeError: a value is not one number.
    """
    words = {word: given[word] for word in ("step", "epoch", "state", "artifacts") if given.get(word) is not None}
    metrics = {str(name): _number(name, value) for name, value in given.items() if name not in _WORDS}
    if "step" in words:
        words["step"] = int(_number("step", words["step"]))
    if "epoch" in words:
        words["epoch"] = _number("epoch", words["epoch"])
    return Reported(metrics=metrics, **words)


@contextmanager
def reporting_to(sink: Sink) -> Iterator[None]:
    """Send reports to `sink` inside the `with` block, in this context only."""
    token = _sink.set(sink)
    _sinks.append(sink)
    try:
        yield
    finally:
        _sinks.remove(sink)
        _sink.reset(token)


_WORDS = frozenset({"step", "epoch", "state", "artifacts"})


def _number(name: Any, value: Any) -> float:
    """A value as a number; a tensor or an array of one element is one, too."""
    if not isinstance(value, (str, bytes)):
        try:
            return float(value.detach() if hasattr(value, "detach") else value)  # torch warns of a gradient
        except (TypeError, ValueError, RuntimeError):
            pass
    shown = repr(value)
    raise TypeError(
        f"report: {name} must be one number, not {type(value).__name__} {shown[:60]}; take float(...) of it, "
        "or give files as artifacts={'name.png': ...}"
    )


def _append(path: str, reported: Reported) -> None:
    """Add one line in one write, so that several processes may share the file."""
    words = {"step": reported.step, "epoch": reported.epoch}
    flat = {**reported.metrics, **{word: value for word, value in words.items() if value is not None}}
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, f"{json.dumps(flat)}\n".encode())
    finally:
        os.close(descriptor)


def _line(reported: Reported) -> str:
    words = [f"step {reported.step}"] if reported.step is not None else []
    words += [f"epoch {reported.epoch:g}"] if reported.epoch is not None else []
    numbers = [f"{name} {value:.6g}" for name, value in reported.metrics.items()]
    files = [f"({', '.join(reported.artifacts)})"] if reported.artifacts else []
    return "  ".join([*words, *numbers, *files])
