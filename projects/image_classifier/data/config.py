"""Define the settings of the data, without importing data libraries, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from projects.files.reading import given_path

_WITH_FILES = ("folder", "cifar10")
_OF_FOLDER = ("val_fraction", "test_fraction", "damaged")


class DataConfig(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """Names one data set and the part of it that is used.

    A field that the named data set would ignore must keep its default: a sweep over it would otherwise compare
    equal runs.
    """

    name: Literal["made", "folder", "cifar10"] = Field(
        default="made",
        description="made: colour pictures of characters, from scikit-learn's scans and matplotlib's fonts; "
        "folder: any folder of class sub-folders; cifar10: its binary or Python files",
    )
    path: str | None = Field(
        default=None,
        min_length=1,
        description="folder of the images of folder (required) or of the files of cifar10; none: data/cifar10",
    )
    characters: Literal["digits", "letters"] = Field(
        default="digits", description="made: 10 digits, scanned or printed; or 26 capital letters, printed"
    )
    image_size: int = Field(default=32, ge=8, le=1024, description="side of the square that images are brought to")
    n_train: int | None = Field(
        default=None, ge=1, description="training images, a stratified choice by `seed`; none: all (made 1,500)"
    )
    n_val: int | None = Field(
        default=None, ge=1, description="validation images, chosen in the same way; none: all (made 500)"
    )
    val_fraction: float = Field(
        default=0.2, gt=0, lt=1, description="folder: part taken for validation if there is no folder val"
    )
    test_fraction: float = Field(
        default=0.0, ge=0, lt=1, description="folder: part taken for the test if there are no folders of parts"
    )
    damaged: Literal["refuse", "skip"] = Field(
        default="refuse", description="folder: what to do with files that cannot be read as an image"
    )
    seed: int = Field(
        default=0,
        ge=0,
        description="which images train and which validate, and made pictures; test images that are cut off stay",
    )

    @model_validator(mode="after")
    def _no_field_without_effect(self) -> Self:
        idle: list[str] = []
        if self.name not in _WITH_FILES:
            idle.append("path")
        if self.name != "folder":
            idle += _OF_FOLDER
        if self.name != "made":
            idle.append("characters")
        for field in idle:
            value = getattr(self, field)
            if value != type(self).model_fields[field].default:
                raise ValueError(
                    f"{field}={value!r} has no effect on data set {self.name!r}; leave it out or change the data set"
                )
        if self.name == "folder" and self.path is None:
            raise ValueError("path: data set 'folder' needs the folder of the images; give data.path")
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError(
                f"val_fraction + test_fraction: {self.val_fraction} + {self.test_fraction} leaves nothing to train on; "
                "make them smaller"
            )
        return self


def data_folder(config: DataConfig) -> Path:
    """Say where a data set's files are read from: `path`, or data/<name> under the working directory."""
    return given_path(config.path) if config.path else Path("data") / config.name
