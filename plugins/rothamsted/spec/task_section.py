"""Define the section of a sweep file on the factor that is the task: conditions are compared over its values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_validator, model_validator

from rothamsted.space.values import shortened
from rothamsted.spec.field_values import Text, refusal
from rothamsted.spec.search_sections import CONFIG

SCALES = ("range", "none")


class Task(BaseModel):
    """Names a factor whose values are tasks, such as data sets: conditions are compared over them, none is chosen.

    Attributes:
        factor: The name of the factor; a file may give the name alone.
        scale: How scores of different tasks are put on one scale. "range": 0 is the worst mean of the conditions on a
            task, 1 the best; "none": as they are; or the two ends of each task's scale, low and high, in units of the
            objective.
    """

    model_config = CONFIG

    factor: Text
    scale: Literal["range", "none"] | Annotated[dict[str, tuple[float, float]], Field(min_length=1, strict=False)] = (
        "range"
    )

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, raw: Any) -> Any:
        if isinstance(raw, str):
            return {"factor": raw}
        if not isinstance(raw, Mapping):
            raise refusal(
                f"must be the name of a factor, or a mapping such as {{factor: data.name}}, not {shortened(raw)}"
            )
        return raw

    @field_validator("scale", mode="before")
    @classmethod
    def _read_scale(cls, raw: Any) -> Any:
        """Ranges are pairs of numbers, low below high."""
        if raw in SCALES:
            return raw
        example = "{mnist: [0.1, 1.0]}"
        if not isinstance(raw, Mapping):
            raise refusal(
                f"must be range, none, or the ends of each task's scale, such as {example}, not {shortened(raw)}"
            )
        return {str(name): _ends(str(name), ends) for name, ends in raw.items()}


def _ends(name: str, ends: Any) -> tuple[float, float]:
    is_pair = isinstance(ends, (list, tuple)) and len(ends) == 2
    is_numbers = is_pair and all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends)
    if not is_numbers or not all(math.isfinite(end) for end in ends) or not ends[0] < ends[1]:
        raise refusal(f"of {name!r} must be two numbers, low below high, such as [0.1, 1.0], not {ends!r}")
    return float(ends[0]), float(ends[1])
