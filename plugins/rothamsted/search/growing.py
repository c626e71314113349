"""Change a search to a grown sweep file: its file, space, directions and trials, in one transaction.

Optuna takes one distribution for each parameter; its samplers and plots ignore trials with another one. So the stored
numbers of existing trials are converted to the grown space. Their values stay the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.study import StudyDirection
from optuna.trial import TrialState

from rothamsted import tags
from rothamsted.search import distributions as dist
from rothamsted.search.sql.clock import database_now
from rothamsted.search.sql.studies import DIRECTIONS
from rothamsted.search.sql.tables import (
    ATTRIBUTES,
    PARAMS,
    STUDIES,
    TRIALS,
    VALUES,
    lock_study,
    set_attributes_of_trials,
    set_study_attribute,
    study_attribute,
)
from rothamsted.search.sweep_lease import SweepLease
from rothamsted.space import Space


@dataclass(frozen=True, kw_only=True)
class Grown:
    """Describes one growth of a search.

    Attributes:
        attributes: attributes of the search from now on, including its file.
        entry: what is recorded of the growth, with its time.
        before, after: the space before and after.
        directions: one for each objective.
        told_anew: new attributes for each trial with results, if all results are written again; None: none is.
    """

    attributes: Mapping[str, Any]
    entry: Mapping[str, Any]
    before: Space
    after: Space
    directions: Sequence[str]
    told_anew: Mapping[str, Any] | None


def grow(lease: SweepLease, study_names: Sequence[str], grown: Grown) -> None:
    """Write a growth under the lease of the sweep: all of it, or nothing.

    Args:
        lease: lease of the sweep.
        study_names: studies of the search and of its confirmation, which may not exist yet.
        grown: what changes.

    Raises:
        SweepLeaseLostError: another process decides; nothing was written.
    """

    def write(tx: sa.Connection) -> None:
        for index, name in enumerate(study_names):
            study_id = tx.execute(sa.select(STUDIES.c.study_id).where(STUDIES.c.study_name == name)).scalar()
            if study_id is not None:
                lock_study(tx, study_id)
                _widen(tx, study_id, grown.before, grown.after)
                _direct(tx, study_id, grown.directions)
                _tell_anew(tx, study_id, grown)
            if study_id is not None and index == 0:
                entry = {"at": database_now(tx), **grown.entry}
                history = study_attribute(tx, study_id, tags.GROWN) or []
                for key, value in {**grown.attributes, tags.GROWN: [*history, entry]}.items():
                    set_study_attribute(tx, study_id, key, value)

    lease.decide(write)


def _widen(tx: sa.Connection, study_id: int, before: Space, after: Space) -> None:
    """Write the parameters of all trials as the grown space stores them: a choice by its place in the list."""
    rows = sa.select(PARAMS.c.param_id, PARAMS.c.param_name, PARAMS.c.param_value).join(
        TRIALS, TRIALS.c.trial_id == PARAMS.c.trial_id
    )
    of_study = tx.execute(rows.where(TRIALS.c.study_id == study_id)).all()
    old, new = dist.distributions_of(before), dist.distributions_of(after)
    texts = {name: distribution_to_json(new[name]) for name in new if new[name] != old.get(name)}
    changed = []
    for param_id, name, stored in of_study:
        if name in texts:
            value = dist.from_stored({name: stored}, before)[name]
            again = dist.to_stored(value, after.domains[name], new[name])
            changed.append({"of_param": param_id, "again": again, "text": texts[name]})
    if changed:
        update = sa.update(PARAMS).where(PARAMS.c.param_id == sa.bindparam("of_param"))
        tx.execute(update.values(param_value=sa.bindparam("again"), distribution_json=sa.bindparam("text")), changed)


def _direct(tx: sa.Connection, study_id: int, directions: Sequence[str]) -> None:
    """Make these the directions of a study, one an objective."""
    query = sa.select(DIRECTIONS.c.direction).where(DIRECTIONS.c.study_id == study_id).order_by(DIRECTIONS.c.objective)
    if [one.name.lower() for one in tx.execute(query).scalars()] == list(directions):
        return
    tx.execute(sa.delete(DIRECTIONS).where(DIRECTIONS.c.study_id == study_id))
    rows = [
        {"study_id": study_id, "objective": i, "direction": StudyDirection[direction.upper()]}
        for i, direction in enumerate(directions)
    ]
    tx.execute(sa.insert(DIRECTIONS), rows)


def _tell_anew(tx: sa.Connection, study_id: int, grown: Grown) -> None:
    """Put every trial that was told something back to waiting, without its values."""
    if grown.told_anew is None:
        return
    has_result = sa.select(ATTRIBUTES.c.trial_id).where(ATTRIBUTES.c.key == tags.RESULT)
    of_told = (
        TRIALS.c.study_id == study_id,
        TRIALS.c.state.in_((TrialState.COMPLETE, TrialState.FAIL)),
        TRIALS.c.trial_id.in_(has_result),
    )
    told = list(tx.execute(sa.select(TRIALS.c.trial_id).where(*of_told)).scalars())
    tx.execute(sa.delete(VALUES).where(VALUES.c.trial_id.in_(sa.select(TRIALS.c.trial_id).where(*of_told))))
    tx.execute(sa.update(TRIALS).where(*of_told).values(state=TrialState.WAITING, datetime_complete=None))
    set_attributes_of_trials(tx, dict.fromkeys(told, grown.told_anew))
