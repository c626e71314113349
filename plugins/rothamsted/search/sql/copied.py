"""Read all rows of some studies from Optuna's tables, and write them into such tables of another database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from optuna.trial import TrialState

from rothamsted.search.sql import tables
from rothamsted.search.sql.named import SWEEP_LEASE
from rothamsted.search.sql.studies import DIRECTIONS, make_tables
from rothamsted.search.sql.tables import STUDIES, STUDY_ATTRIBUTES, STUDY_SYSTEM_ATTRIBUTES, TRIALS

_OF_STUDY = (DIRECTIONS, STUDY_ATTRIBUTES, STUDY_SYSTEM_ATTRIBUTES)
_OF_TRIALS = (tables.PARAMS, tables.VALUES, tables.REPORTS, tables.ATTRIBUTES, tables.SYSTEM_ATTRIBUTES)
_ENDED = [state for state in TrialState if state.is_finished()]


@dataclass(frozen=True, kw_only=True)
class StudyRows:
    """Holds the rows of one study.

    Attributes:
        tables: table -> its rows, in an order in which they can be written.
        n_trials: how many there are.
    """

    tables: Sequence[tuple[sa.Table, Sequence[Mapping[str, Any]]]]
    n_trials: int


Rows = Mapping[str, StudyRows]  # name of a study -> its rows


def rows_of(connection: sa.Connection, names: Sequence[str]) -> Rows:
    """Return the rows of the existing studies with their finished trials. The lease of a sweep is left out."""
    found = {}
    for name in names:
        studies = _all(connection, sa.select(STUDIES).where(STUDIES.c.study_name == name))
        if studies:
            found[name] = _of_study(connection, studies)
    return found


def write_rows(connection: sa.Connection, rows: Rows) -> None:
    """Make Optuna's tables in an empty database, and write rows into them with their ids."""
    make_tables(connection)
    for study in rows.values():
        for table, of_table in study.tables:
            if of_table:
                connection.execute(sa.insert(table), list(of_table))


def _of_study(connection: sa.Connection, studies: list[dict[str, Any]]) -> StudyRows:
    own = [(STUDIES, studies)]
    study_id = studies[0]["study_id"]
    for table in _OF_STUDY:
        rows = _all(connection, sa.select(table).where(table.c.study_id == study_id))
        own.append((table, [row for row in rows if row.get("key") != SWEEP_LEASE]))
    is_ended = (TRIALS.c.study_id == study_id) & TRIALS.c.state.in_(_ENDED)
    trials = _all(connection, sa.select(TRIALS).where(is_ended).order_by(TRIALS.c.number))
    own.append((TRIALS, trials))
    for table in _OF_TRIALS:
        own.append((table, _all(connection, sa.select(table).join(TRIALS).where(is_ended))))
    return StudyRows(tables=own, n_trials=len(trials))


def _all(connection: sa.Connection, query: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query).mappings()]
