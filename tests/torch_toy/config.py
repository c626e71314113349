"""The config of the study. Apart, so that --help needs neither NumPy nor torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Config(BaseModel):
    """One run."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = Field(default=0, ge=0, description="seed of the data's noise and of the first weights")
    lr: float = Field(default=0.1, gt=0, description="step size")
    steps: int = Field(default=20, ge=1, description="steps to train")
    backend: Literal["numpy", "torch"] = "numpy"
    widths: tuple[int, ...] = Field(default=(), description="hidden layers of the torch model")
    shift: float | None = Field(default=None, description="added to every target")
    sleep_seconds: float = Field(default=0.0, ge=0, description="sleep at every step")
    model: Literal["whole", "none", "bare", "raises", "infinite", "in_main", "lambda", "text", "shout"] = "whole"
