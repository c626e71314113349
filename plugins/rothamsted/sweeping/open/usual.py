"""Choose the defaults of a sweep without a file: its name, its metric, its sampler.

Calls and the command line use it.
"""

from __future__ import annotations

import re

from rothamsted.metric import RETURNED
from rothamsted.studies import Study

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def usual_name(target: str) -> str:
    """Return the name of a sweep of `train.py:train`, `digits.py`, or of a study's name.

    Example:
        >>> usual_name("train.py:train"), usual_name("digits.py"), usual_name("my study")
        ('train', 'digits', 'my_study')
    """
    return _NOT_IN_NAMES.sub("_", target.rpartition(":")[2].removesuffix(".py") or target)


def usual_metric(study: Study) -> str | None:
    """Return the default metric: the only one that is declared, else what a function returns; None: not known."""
    declared = [name for name in study.metrics if "*" not in name]
    if len(declared) == 1:
        return declared[0]
    return RETURNED if study.function is not None else None


def usual_sampler(*, has_trials: bool, is_finite: bool) -> str:
    """Return the default sampler: a grid if the space is finite and the number of trials is not given."""
    return "grid" if is_finite and not has_trials else "tpe"
