"""Read single values of a sweep file: durations, sizes, names, reductions.

Each function reads one notation, and raises an error that pydantic turns into one line at the key's place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from rothamsted.caps import (
    MOST_BYTES,
    MOST_DEVICES,
    MOST_IN_POPULATION,
    MOST_OF_RESOURCE,
    MOST_REPLICATES,
    MOST_SECONDS,
    MOST_STEPS,
    MOST_WORKERS,
)
from rothamsted.errors import UserError
from rothamsted.expression import Constraint, Expression
from rothamsted.masking import hidden
from rothamsted.space.values import shortened

MAX_SEED = 2**32 - 1  # what numpy and JAX both take
MOST_CROSSED = 100  # numbers of one field in crossed replicates
CONFIRM_SUFFIX = ".confirm"  # after a sweep's name: the Optuna study of its confirmation
MOST_OF_WANDB_NAME, NOT_IN_WANDB_NAMES = 128, "/\\#?%:"  # as its package has them for a project
WHOLE_REASON = "whole_reason"  # kind of an error whose text needs no value behind it

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_SECONDS = (86_400, 3_600, 60, 1)
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]i?)?B", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def refusal(reason: str) -> PydanticCustomError:
    """Return an error of the schema with a complete text; the loader adds the place."""
    return PydanticCustomError(WHOLE_REASON, "{reason}", {"reason": reason})


def at_most(n: int, what: str) -> BeforeValidator:
    """Return a check of a list's length, which runs before its members are checked."""

    def check(raw: Any) -> Any:
        if isinstance(raw, (list, tuple)) and len(raw) > n:
            raise refusal(f"{len(raw)} {what}, and at most {n} are allowed; give fewer")
        return raw

    return BeforeValidator(check)


def seconds(raw: Any) -> Any:
    """Read a duration in seconds: a number of seconds, or text such as 2h, 10m, 90s, 1h30m."""
    if not isinstance(raw, str):
        return raw
    found = _DURATION.fullmatch(raw.strip())
    if not raw.strip() or found is None:
        raise PydanticCustomError("duration", "Input should be seconds, or a duration such as 90s, 10m or 1h30m")
    return sum(float(part) * unit for part, unit in zip(found.groups(), _SECONDS, strict=True) if part)


def n_bytes(raw: Any) -> Any:
    """Read a size in bytes: a whole number, or text such as 2GB (10^9 bytes each) or 512MiB (2^20 each)."""
    if not isinstance(raw, str):
        return raw
    found = _SIZE.fullmatch(raw.strip())
    if found is None:
        raise PydanticCustomError("size", "Input should be bytes, or a size such as 2GB, 500MB or 4GiB")
    unit = (found[2] or "").lower()
    n = float(found[1]) * (1024 if unit.endswith("i") else 1000) ** _POWERS[unit.removesuffix("i")]
    return round(min(n, 2.0 * MOST_BYTES))  # the schema refuses it


def _is_count(raw: Any, most: int) -> bool:
    """Whether it is a whole number from 1 to the most."""
    return isinstance(raw, int) and not isinstance(raw, bool) and 1 <= raw <= most


def read_reduction(raw: Any) -> Any:
    """Read how a curve becomes one number: last, best, or mean:K."""
    k = raw.get("mean_of_last") if isinstance(raw, Mapping) and len(raw) == 1 else None
    if isinstance(raw, str) and (found := re.fullmatch(r"mean:(\d{1,9})", raw)):
        k = int(found[1])
    if raw in ("last", "best"):
        return raw
    if not _is_count(k, MOST_STEPS):
        reason = f"Input should be last, best or {{mean_of_last: K}} with K from 1 to {MOST_STEPS}"
        raise PydanticCustomError("reduction", "{reason}", {"reason": reason})
    return f"mean:{k}"


def read_wandb_name(raw: Any) -> Any:
    """Read a name of Weights & Biases: a project, group or entity."""
    if isinstance(raw, str) and (len(raw) > MOST_OF_WANDB_NAME or set(raw) & set(NOT_IN_WANDB_NAMES)):
        rule = f"at most {MOST_OF_WANDB_NAME} characters, and none of {' '.join(NOT_IN_WANDB_NAMES)}"
        raise refusal(f"Weights & Biases takes {rule}, not {shortened(raw)}")
    return raw


def read_vary(raw: Any) -> Any:
    """Read what varies between replicates: a list of fields, or fields with the number of values of each."""
    if raw is None:
        return None
    shape = (
        "must be a list of fields, as in [seed, data.seed], or how many numbers each has, as in {seed: 3, data.seed: 3}"
    )
    if (
        not isinstance(raw, (list, tuple, Mapping))
        or not raw
        or not all(isinstance(name, str) and name for name in raw)
    ):
        raise refusal(f"{shape}, not {shortened(raw)}")
    if isinstance(raw, Mapping):
        if len(raw) < 2:
            raise refusal(f"crosses one field with nothing; {shape}")
        for name, n in raw.items():
            if isinstance(n, bool) or not isinstance(n, int) or not 2 <= n <= MOST_CROSSED:
                raise refusal(f"{name}: must be a whole number of values, 2 to {MOST_CROSSED}, not {n!r}")
        if (n_all := math.prod(raw.values())) > MOST_REPLICATES:
            raise refusal(
                f"makes {n_all} replicates of a condition, and at most {MOST_REPLICATES} are allowed; give fewer"
            )
        return dict(raw)
    if (twice := first_twice(raw)) is not None:
        raise refusal(f"names {twice} twice; remove one")
    return tuple(raw)


def first_twice(members: Iterable[Hashable]) -> Any:
    """Return the first member that occurs a second time; None: each occurs once."""
    seen: set[Hashable] = set()
    return next((one for one in members if one in seen or seen.add(one)), None)


def read_over(raw: Any) -> Any:
    """Read the number of a condition over its replicates: mean, median, iqm or {quantile: Q}."""
    q = raw.get("quantile") if isinstance(raw, Mapping) and len(raw) == 1 else None
    if isinstance(raw, str) and (found := re.fullmatch(r"quantile:([0-9.eE-]+)", raw)):
        try:
            q = float(found[1])
        except ValueError:
            q = None
    if raw in ("mean", "median", "iqm"):
        return raw
    if isinstance(q, bool) or not isinstance(q, (int, float)) or not 0 < q < 1:
        raise PydanticCustomError(
            "over", "Input should be mean, median, iqm or {quantile: Q} with Q between 0 and 1, such as 0.1"
        )
    return "median" if q == 0.5 else f"quantile:{q!r}"


def read_workers(raw: Any) -> Any:
    """Read a number of workers, or auto."""
    if raw != "auto" and not _is_count(raw, MOST_WORKERS):
        reason = f"Input should be a whole number from 1 to {MOST_WORKERS}, or auto for one per core"
        raise PydanticCustomError("workers", "{reason}", {"reason": reason})
    return raw


def read_population(raw: Any) -> Any:
    """Read how many replicates a compiled call trains, or auto."""
    if raw != "auto" and not _is_count(raw, MOST_IN_POPULATION):
        reason = f"Input should be a whole number from 1 to {MOST_IN_POPULATION}, or auto to measure it"
        raise PydanticCustomError("population", "{reason}", {"reason": reason})
    return raw


def read_devices(raw: Any) -> Any:
    """Read which GPUs are used: auto, none, or a list of numbers."""
    if raw in ("auto", "none"):
        return raw
    is_list = isinstance(raw, list | tuple) and 0 < len(raw) <= MOST_DEVICES
    if not is_list or not all(type(n) is int and 0 <= n < MOST_DEVICES for n in raw) or len(set(raw)) != len(raw):
        raise PydanticCustomError(
            "devices",
            "Input should be auto, none, or a list of numbers below {most} such as [0, 1]",
            {"most": MOST_DEVICES},
        )
    return tuple(raw)


def read_resources(raw: Any) -> Any:
    """Read what a worker takes: resource -> an amount above 0; memory may be a size such as 4GB."""
    if not isinstance(raw, dict):
        raise PydanticCustomError("resources", "Input should be a mapping such as {CPU: 1, GPU: 0.25, memory: 4GB}")
    found = {key: n_bytes(value) if key == "memory" else value for key, value in raw.items()}
    for key, value in found.items():
        most = math.inf if key == "memory" else MOST_OF_RESOURCE
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most or value == math.inf:
            to = "" if key == "memory" else f", at most {MOST_OF_RESOURCE}"
            raise refusal(f"{key}: should be a number above 0{to}, not {shortened(value)}")
        if key in ("CPU", "GPU") and value > 1 and value != int(value):
            raise PydanticCustomError(
                "resources", "{key}: above 1 only whole numbers, not {value}", {"key": key, "value": value}
            )
    if found.get("memory", 0) > MOST_BYTES:
        raise refusal(f"memory: should be at most {MOST_BYTES} bytes, not {raw['memory']!r}")
    return {key: float(value) for key, value in found.items()}


def read_resume(raw: Any) -> Any:
    """Read whether a stage goes on from checkpoints: auto, true or false."""
    if raw != "auto" and not isinstance(raw, bool):
        raise PydanticCustomError("resume", "Input should be auto, true or false")
    return raw


def read_sweep_name(raw: Any) -> Any:
    """Read the name of a sweep."""
    if not isinstance(raw, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", raw):
        raise PydanticCustomError(
            "name", "Input should be at most 100 letters, digits, '.', '_' and '-', a letter or digit first"
        )
    if raw.endswith(CONFIRM_SUFFIX):
        raise PydanticCustomError(
            "name", f"Input should not end in {CONFIRM_SUFFIX}, which names the confirmation of another sweep"
        )
    return raw


def read_storage(raw: Any) -> Any:
    """Read a database URL."""
    if not isinstance(raw, str):
        raise PydanticCustomError("storage", "Input should be a database URL such as sqlite:///optuna.db")
    if not re.fullmatch(r"sqlite(\+[a-z0-9]+)?://.+|[a-z][a-z0-9]*(\+[a-z0-9]+)?://\S+", raw):
        way = "; write %20 for a space" if "://" in raw and re.search(r"\s", raw.strip()) else ""
        raise refusal(f"must be a database URL such as sqlite:///optuna.db, not {shortened(hidden(raw))}{way}")
    return raw


def read_log(raw: Any) -> Any:
    """Read the path of a Markdown file."""
    if not isinstance(raw, str) or not raw.removesuffix(".md") or not raw.endswith(".md") or "\0" in raw:
        raise PydanticCustomError("log", "Input should be the path of a Markdown file such as EXPERIMENT_LOG.md")
    return raw


def read_expression(raw: Any) -> Any:
    """Read the text of an expression."""
    return _read(Expression, raw)


def read_constraint(raw: Any) -> Any:
    """Read the text of a constraint."""
    return _read(Constraint, raw)


def _read(reader: Callable[[str], Any], raw: Any) -> str:
    if not isinstance(raw, str):
        raise PydanticCustomError("expression", "Input should be text such as {example}", {"example": "seconds < 60"})
    try:
        reader(raw)
    except UserError as error:
        raise refusal(str(error)) from None
    return raw


Bytes = Annotated[int, BeforeValidator(n_bytes), Field(gt=0, le=MOST_BYTES)]
ConstraintText = Annotated[str, BeforeValidator(read_constraint)]
ExpressionText = Annotated[str, BeforeValidator(read_expression)]
Log = Annotated[str, BeforeValidator(read_log)]
Name = Annotated[str, BeforeValidator(read_sweep_name)]
Seconds = Annotated[float, BeforeValidator(seconds), Field(gt=0, le=MOST_SECONDS, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Storage = Annotated[str, BeforeValidator(read_storage)]
Text = Annotated[str, Field(min_length=1)]
