"""Define the settings of the data, without importing data libraries, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, model_validator

from projects.files.reading import given_path

_WITH_FILES = ("mnist", "mnist1m")
_TEACHER_ONLY = ("dimension", "degree", "online", "noise")


class DataConfig(BaseModel, frozen=True, extra="forbid"):
    """Names one data set and the part of it that is used.

    A field that the named data set would ignore must keep its default: a sweep over it would
    otherwise compare equal runs.
    """

    name: Literal["digits", "mnist", "mnist1m", "teacher"] = Field(
        default="digits",
        description="digits: 1,797 scans of 8x8 from scikit-learn; mnist: IDX files; mnist1m: mnist1m.npz; "
        "teacher: a polynomial of Gaussian inputs",
    )
    path: str | None = Field(
        default=None,
        min_length=1,
        description="folder of the files of mnist or mnist1m (or mnist1m.npz itself); none: data/<name>",
    )
    n_train: int | None = Field(
        default=None,
        ge=1,
        description="training rows, a stratified choice by `seed`; none: all (digits 1,257, teacher 4,096)",
    )
    n_val: int | None = Field(
        default=None,
        ge=1,
        description="validation rows; none: the whole test part (digits 360, teacher 4,096)",
    )
    seed: int = Field(
        default=0,
        ge=0,
        description="which rows train and which validate, and the teacher; the test rows of a data set stay",
    )
    dimension: int = Field(default=16, ge=1, description="teacher: number of independent N(0, 1) inputs")
    degree: int = Field(
        default=2,
        ge=1,
        le=20,  # above, nearly all of the variance sits in inputs that no sample of usual size holds
        description="teacher: degree of the polynomial",
    )
    online: bool = Field(default=False, description="teacher: fresh training samples at every step")
    noise: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="teacher: standard deviation of the noise on training targets; validation has none",
    )

    @model_validator(mode="after")
    def _no_field_without_effect(self) -> DataConfig:
        fields = DataConfig.model_fields
        idle: list[str] = [] if self.name == "teacher" else list(_TEACHER_ONLY)
        if self.name not in _WITH_FILES:
            idle.append("path")
        if self.online:
            idle.append("n_train")
        for field in idle:
            value = getattr(self, field)
            if value != fields[field].default:
                raise ValueError(
                    f"{field}={value!r} has no effect on {self._words()}; leave it out or change the data set"
                )
        return self

    def _words(self) -> str:
        return f"data set {self.name!r}" + (" with online=True" if self.online else "")


def data_folder(config: DataConfig) -> Path:
    """Return the folder of a data set's files: `path`, or data/<name> under the working directory."""
    return given_path(config.path) if config.path else Path("data") / config.name
