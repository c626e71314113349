"""Define the settings of the data, without importing data libraries, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from projects.files.reading import given_path

FOLDER = Path("data")  # of data sets and caches, under the working directory
_FONTS_ONLY = ("per_class", "test_per_class")


class DataConfig(BaseModel, frozen=True, extra="forbid"):
    """Names one data set and the part of it that is used.

    A field that the named data set would ignore must keep its default: a sweep over it would otherwise compare
    equal runs.
    """

    name: Literal["fonts", "emnist", "mnist"] = Field(
        default="fonts",
        description="fonts: 47 characters drawn from matplotlib's fonts; emnist: EMNIST Balanced from IDX or .mat "
        "files; mnist: ten digits from IDX files",
    )
    path: str | None = Field(
        default=None, min_length=1, description="folder of the files of emnist or mnist; none: data/<name>"
    )
    n_train: int | None = Field(
        default=None, ge=1, description="training rows, a stratified choice by `seed`; none: all that are left"
    )
    n_validation: int | None = Field(
        default=None, ge=1, description="rows of the training part kept for validation; none: a tenth of it"
    )
    synthetic: str | None = Field(
        default=None,
        min_length=1,
        description="folder made by prepare_data dataset=synthetic_emnist, whose images are added to the training rows",
    )
    per_class: int = Field(default=220, ge=2, le=10_000, description="fonts: images a class from the training fonts")
    test_per_class: int = Field(
        default=60, ge=1, le=10_000, description="fonts: images a class from the held-out fonts"
    )
    seed: int = Field(
        default=0,
        ge=0,
        description="which rows train and which validate, and drawn images; the test rows of a data set stay",
    )

    @model_validator(mode="after")
    def _no_field_without_effect(self) -> Self:
        idle = ("path",) if self.name == "fonts" else _FONTS_ONLY
        for field in idle:
            value = getattr(self, field)
            if value != DataConfig.model_fields[field].default:
                raise ValueError(
                    f"{field}={value!r} has no effect on data set {self.name!r}; leave it out or change the data set"
                )
        return self


def data_folder(config: DataConfig) -> Path:
    """Return the folder of a data set's files: `path`, or data/<name> under the working directory."""
    return given_path(config.path) if config.path else FOLDER / config.name
