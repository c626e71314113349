"""Trains the toy study in the test process, and compares trainings bit by bit: shared by the tests of this folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from rothamsted.records import Ending, Measured
from rothamsted.studies import Study, drive
from rothamsted.studies.exports import metrics_csv
from tests.toy import STUDY

TIMES = ("seconds", "samples_per_second", "setup_seconds")  # measured by the driver: the only numbers that may differ


def ignore(member: int, measured: Measured) -> None:
    """For a training whose endings say all that is asked."""


def run(*configs: BaseModel, study: Study = STUDY, **how: Any) -> list[Ending]:
    """Train a population to its ending."""
    return drive(study, configs, **{"on_measurement": ignore, **how})


def rows_without_times(text: str) -> list[dict[str, str]]:
    """The rows of a metrics.csv, times left out. Its numbers are written to the last bit."""
    rows = list(csv.DictReader(io.StringIO(text)))
    return [{name: value for name, value in row.items() if name not in TIMES} for row in rows]


def bits(endings: Sequence[Ending]) -> list[list[dict[str, str]]]:
    """What each member measured, to the last bit, times left out."""
    return [rows_without_times(metrics_csv(ending.history)) for ending in endings]
