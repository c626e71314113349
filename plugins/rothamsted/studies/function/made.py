"""Make a study of a function, by decorator or by call."""

from __future__ import annotations

import functools
import inspect
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, final, overload

from rothamsted.errors import StudyError
from rothamsted.metric import Metric
from rothamsted.studies.contract import Study
from rothamsted.studies.function.by_value import pickled_function
from rothamsted.studies.function.printed import text_of
from rothamsted.studies.function.signature import SEED, signature_of
from rothamsted.studies.function.source import digest_of_function, target_of_function
from rothamsted.studies.function.training import training_of

_OF_GPUS = frozenset({"torch", "jax", "tensorflow", "cupy", "flax", "lightning"})  # libraries that compute on them
_NOTHING: Mapping[str, Metric] = {}


@overload
def study(function: Callable[..., Any], /) -> Study: ...
@overload
def study(
    *, name: str | None = None, metrics: Mapping[str, Metric] = _NOTHING, seed_parameter: str = SEED
) -> Callable[[Callable[..., Any]], Study]: ...
def study(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    metrics: Mapping[str, Metric] = _NOTHING,
    seed_parameter: str = SEED,
) -> Any:
    """Make a study of a function. It can be called as before, and `.main()` is its command line.

    Args:
        function: the function to train. A sweep may vary its parameters; one of them is the seed.
        name: name of the study; None: the function's.
        metrics: name -> `Metric`: what is known of the metrics before anything is measured.
        seed_parameter: name of the parameter that is the seed.

    Raises:
        StudyError: no sweep can call a function with this signature; the message says how to change it.

    Example:
        >>> @study
        ... def parabola(seed: int, x: float = 0.0):
        ...     return (x - 1) ** 2
        >>> parabola(seed=0, x=3.0)
        4.0
        >>> parabola.config(x=2.0).x
        2.0
    """
    if function is None:
        return functools.partial(_made, name=name, metrics=metrics, seed_parameter=seed_parameter)
    return _made(function, name=name, metrics=metrics, seed_parameter=seed_parameter)


def as_study(target: Callable[..., Any]) -> Study:
    """Turn a function, a decorated function or a study of the full contract into a study."""
    return target if isinstance(target, Study) else study(target)


@final
@dataclass(frozen=True, kw_only=True)
class StudyFunction:
    """Holds the function that a study was made of; a `FunctionLike`."""

    call: Callable[..., Any]
    name: str
    metrics: Mapping[str, Metric]
    seed_parameter: str
    takes_state: bool
    _printing: threading.local = field(default_factory=threading.local, repr=False, compare=False)

    @property
    def target(self) -> str:
        """Return its name as a sweep file has it."""
        return target_of_function(self.call)

    @property
    def code_digest(self) -> str:
        """Return the SHA-256 of its source and of what it calls."""
        return digest_of_function(self.call)

    def lines(self) -> list[str]:
        """Return the list to which a training of this thread that begins now adds what it prints."""
        self._printing.lines = []
        return self._printing.lines

    def printed(self) -> str:
        """Return what the last training of this thread has printed."""
        return text_of(getattr(self._printing, "lines", []))

    def pickled(self) -> bytes:
        """Pickle the function with all that it uses, and what was declared of it."""
        declared = {"name": self.name, "metrics": dict(self.metrics), "seed_parameter": self.seed_parameter}
        return pickled_function(self.call, declared)


def _made(
    function: Callable[..., Any], *, name: str | None, metrics: Mapping[str, Metric], seed_parameter: str
) -> Study:
    if isinstance(function, Study):
        raise StudyError(f"study {function.name!r}: is a study already; remove one @study")
    name = name or _name_of(function)
    place = f"study {name!r}"
    signature = signature_of(function, name=name, seed_parameter=seed_parameter, place=place)
    own = StudyFunction(
        call=function,
        name=name,
        metrics=metrics,
        seed_parameter=seed_parameter,
        takes_state=signature.takes_state,
    )
    made = Study(
        name=name,
        config=signature.config,
        train=training_of(function, signature, own.lines, place),
        rtol=0.0,
        metrics=metrics,
        uses_gpu=_uses_gpu(function),
        function=own,
    )
    for attribute in ("__name__", "__qualname__", "__doc__", "__module__"):
        if (value := getattr(function, attribute, None)) is not None:
            object.__setattr__(made, attribute, value)
    object.__setattr__(made, "__wrapped__", inspect.unwrap(function))
    return made


def _uses_gpu(function: Any) -> bool:
    """Whether what a function refers to by name is of a library that computes on GPUs."""
    known = getattr(inspect.unwrap(function), "__globals__", {}).values()
    found = {getattr(one, "__module__", None) or getattr(one, "__name__", "") for one in known}
    return any(isinstance(name, str) and name.partition(".")[0] in _OF_GPUS for name in found)


def _name_of(function: Any) -> str:
    """A function's own name, as a study may be called: `<lambda>` is function."""
    inner = function.func if isinstance(function, functools.partial) else function
    name = re.sub(r"\W", "", getattr(inner, "__name__", type(inner).__name__))
    return {"lambda": "function"}.get(name, name.lstrip("_")) or "function"
