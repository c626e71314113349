"""Prepares a data set by name: finds the study that offers it and calls its function.

It is apart so that `prepare_data` is one command for all studies, and the engine names no study's data.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rothamsted.errors import DataError
from rothamsted.study.contract import Study
from rothamsted.study.fields import closest


def prepare_data(studies: Sequence[Study], dataset: str, source: str | None, target: Path | None) -> Path:
    """Make one data set with the study that offers it, as `prepare(source=source, target=target)`.

    Args:
        studies: all studies of the project.
        dataset: name of the data set.
        source: where the raw data are (folder, file or address); None lets the study choose.
        target: the file to make; None lets the study choose.

    Returns:
        The file that was made.

    Raises:
        DataError: no study offers the data set, two different ones do, or the study refuses the source.
    """
    offers = {study.name: study for study in studies if dataset in study.datasets}
    if not offers:
        known = sorted({name for study in studies for name in study.datasets})
        hint = closest(dataset, known) if known else "no study offers any"
        raise DataError(f"dataset: {dataset!r} is not offered by any study; {hint}")
    if len({study.datasets[dataset] for study in offers.values()}) > 1:
        raise DataError(
            f"dataset: {dataset!r} is offered by {', '.join(sorted(offers))} with different functions; "
            "rename it in all but one"
        )
    study = next(iter(offers.values()))
    try:
        return study.datasets[dataset](source=source, target=target)
    except study.user_errors as error:
        raise DataError(" ".join(str(error).split())) from error
