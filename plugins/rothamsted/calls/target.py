"""The one seam to functions as studies: what a sweep calls a target, and the study that it is."""

from __future__ import annotations

from typing import Any

from rothamsted.studies import Study
from rothamsted.studies.function import as_study


def named(target: Any) -> tuple[str, Study]:
    """What a sweep file has for a study or a function (train.py:train), and the study.

    Raises:
        UserError: a function that no sweep can call.
    """
    study = as_study(target)
    return study.name if study.function is None else study.function.target, study
