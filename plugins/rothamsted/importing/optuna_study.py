"""Read Optuna's studies, from any storage that Optuna reads: each trial is a run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rothamsted.errors import DataError
from rothamsted.importing.flat import flat_texts
from rothamsted.importing.times import time_ms
from rothamsted.importing.values import ImportedRun
from rothamsted.masking import masked
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.wording import verb

if TYPE_CHECKING:
    from rothamsted.search.other_studies import OtherStudy, OtherTrial

INTERMEDIATE = "intermediate_value"  # what a trial reported on its way, by step
_URL = re.compile(r"(sqlite|postgresql|mysql|mariadb)(\+\w+)?://", re.IGNORECASE)


def matches(address: str) -> bool:
    """Say whether it is the address of a database, an SQLite file, or a JournalFile of Optuna's."""
    if _URL.match(address):
        return True
    path = Path(address)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(200)
    return start.startswith(b"SQLite format 3\0") or (start.startswith(b"{") and b'"op_code"' in start)


def read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]:
    """Yield the trials of a study by their numbers, without those that were not begun.

    Raises:
        StoreError: there is no such storage or study, there are several and none is named, or it is a sweep of ours.
        DataError: it has no trials.
    """
    from rothamsted.search.other_studies import read_other_study  # imports Optuna

    study = read_other_study(address, options.get("study"))
    if not study.trials:
        waiting = f", {study.n_waiting} {verb(study.n_waiting, 'waits', 'wait')} to be run" if study.n_waiting else ""
        raise DataError(
            f"storage {masked(address)}: study '{study.name}' has no trial that was begun{waiting}; name another"
        )
    for trial in study.trials:
        yield _run(study, trial)


def _run(study: OtherStudy, trial: OtherTrial) -> ImportedRun:
    notes: list[str] = []
    start, end = time_ms(trial.start, None), time_ms(trial.end, None)
    steps = sorted(trial.intermediate)
    points = [MetricPoint(INTERMEDIATE, trial.intermediate[step], start or end or 0, step) for step in steps]
    if points:
        notes.append("Optuna keeps no times of intermediate values: they have the start of the trial")
    metric, direction = next(iter(study.metrics.items()), ("", ""))
    texts = {name: _text(value) for name, value in trial.attributes.items()}
    summary = {**trial.values, **{f"constraint_{n}": value for n, value in enumerate(trial.constraints)}}
    return ImportedRun(
        source_id=f"optuna:{study.name}/{trial.number}/{trial.start.isoformat() if trial.start else ''}",
        name=f"{study.name}-{trial.number}",
        params=flat_texts(trial.params, notes),
        points=points,
        summary=summary,
        tags={"optuna.study": study.name, "optuna.trial": str(trial.number), "optuna.state": trial.word, **texts},
        start_ms=start or end or 0,
        end_ms=None if trial.state is RunStatus.RUNNING else end,
        state=trial.state,
        notes=notes,
        revision=f"{trial.word} {len(points)}",
        metric=metric,
        direction=direction,
    )


def _text(value: Any) -> str:
    """A user attribute, which is any value of JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
