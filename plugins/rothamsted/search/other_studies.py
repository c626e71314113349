"""Read every trial of an Optuna study that no sweep of ours made, from any storage that Optuna reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from rothamsted import places
from rothamsted.errors import StoreError
from rothamsted.masking import masked
from rothamsted.records import RunStatus
from rothamsted.search.patience import one_line
from rothamsted.search.sql.named import SPEC_KEY
from rothamsted.suggest import known_names

_STATES = {
    TrialState.COMPLETE: RunStatus.FINISHED,
    TrialState.PRUNED: RunStatus.KILLED,
    TrialState.FAIL: RunStatus.FAILED,
    TrialState.RUNNING: RunStatus.RUNNING,
}


@dataclass(frozen=True, kw_only=True)
class OtherTrial:
    """Holds one trial that was run, as Optuna has it.

    Attributes:
        number: of the trial in its study.
        params: as they were suggested.
        values: values by metric; empty if it has none.
        intermediate: step -> what it reported.
        attributes: user attributes.
        constraints: values of the constraints, as the sampler was told; empty without constraints.
        state: pruned and stopped ones are KILLED.
        word: Optuna's own word for it.
        start, end: local times without a zone, as Optuna writes them; None: not begun, not ended.
    """

    number: int
    params: Mapping[str, Any]
    values: Mapping[str, float]
    intermediate: Mapping[int, float]
    attributes: Mapping[str, Any]
    constraints: Sequence[float]
    state: RunStatus
    word: str
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, kw_only=True)
class OtherStudy:
    """Holds a study with all trials that were begun.

    Attributes:
        name: of the study.
        metrics: name -> minimize or maximize; the names are `value`, or value_0 and so on, if the study has none.
        trials: by number.
        n_waiting: number of trials that were not begun.
    """

    name: str
    metrics: Mapping[str, str]
    trials: Sequence[OtherTrial]
    n_waiting: int


def read_other_study(address: str, name: str | None) -> OtherStudy:
    """Read a study; nothing is written.

    Args:
        address: address of the storage: `sqlite:///old.db`, `postgresql+psycopg://…`, an SQLite file, or a JournalFile.
        name: name of the study; None: the only one.

    Raises:
        StoreError: there is no such storage or study, there are several and none is named, or it is a sweep of ours.
    """
    place = f"storage {masked(address)}"
    try:
        storage = _opened(address, place)
        names = optuna.get_all_study_names(storage)
        if name is None and len(names) != 1:
            raise StoreError(f"{place}: has {len(names)} studies; add study=NAME; {known_names('', names)}")
        wanted = names[0] if name is None else name
        if wanted not in names:
            raise StoreError(f"{place}: no study called '{wanted}' here; {known_names(wanted, names)}")
        study = optuna.load_study(study_name=wanted, storage=storage)
        if SPEC_KEY in study.user_attrs:
            raise StoreError(
                f"{place}: '{wanted}' is a sweep of rothamsted, whose runs are in MLflow already; "
                f"rothamsted analyze sweep={wanted}"
            )
        trials = study.get_trials(deepcopy=False)
        return _study(study, wanted, trials)
    except StoreError:
        raise
    except ImportError as error:
        raise StoreError(f"{place}: a package is missing ({one_line(error)}); install it") from error
    except Exception as error:  # whatever a driver, a damaged file or another version of the tables makes Optuna raise
        raise StoreError(
            f"{place}: Optuna {optuna.__version__} cannot read it ({one_line(error)}); correct the address, or, for "
            "tables of an older Optuna, run optuna storage upgrade on a copy"
        ) from error


def _opened(address: str, place: str) -> BaseStorage:
    """The storage, which is made nowhere."""
    path = places.sqlite_file(address) if "://" in address else Path(address)
    if path is not None and not path.is_file():
        raise StoreError(f"{place}: there is no such file; correct the address")
    if path is not None and ("://" in address or _is_sqlite(path)):
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'studies'").fetchone():
                raise StoreError(f"{place}: holds no study of Optuna; give another")
        address = address if "://" in address else f"sqlite:///{path.absolute()}"
    elif path is not None:
        return JournalStorage(JournalFileBackend(str(path)))
    return RDBStorage(address, skip_table_creation=True)


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def _study(study: optuna.Study, name: str, trials: Sequence[FrozenTrial]) -> OtherStudy:
    directions = study.directions
    several = len(directions) > 1
    names = study.metric_names or ([f"value_{n}" for n in range(len(directions))] if several else ["value"])
    ways = ["maximize" if one is StudyDirection.MAXIMIZE else "minimize" for one in directions]
    begun = [trial for trial in trials if trial.state is not TrialState.WAITING]
    return OtherStudy(
        name=name,
        metrics=dict(zip(names, ways)),
        trials=[_trial(trial, names) for trial in begun],
        n_waiting=len(trials) - len(begun),
    )


def _trial(trial: FrozenTrial, names: Sequence[str]) -> OtherTrial:
    return OtherTrial(
        number=trial.number,
        params=trial.params,
        values=dict(zip(names, trial.values or ())),
        intermediate=trial.intermediate_values,
        attributes=trial.user_attrs,
        constraints=tuple(trial.system_attrs.get("constraints") or ()),
        state=_STATES[trial.state],
        word=trial.state.name,
        start=trial.datetime_start,
        end=trial.datetime_complete,
    )
