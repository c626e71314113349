"""Read all trials of a search with their results, in two queries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from rothamsted.search.distributions import from_stored
from rothamsted.search.sql.repeats import ASKED, REPEAT_OF, is_marked
from rothamsted.search.sql.tables import ATTRIBUTES, PARAMS, TRIALS, milliseconds
from rothamsted.space import Space


@dataclass(frozen=True, kw_only=True)
class ToldTrial:
    """Holds a trial as the search has it.

    Attributes:
        number: 0, 1, ... in its study.
        condition: its parameters, as far as they are known.
        attributes: user attributes that were asked for.
        is_over: it is complete, pruned or failed.
        ended_ms: when it ended, milliseconds since 1970; 0: it is not over.
    """

    number: int
    condition: Mapping[str, Any]
    attributes: Mapping[str, Any]
    is_over: bool = True
    ended_ms: int = 0


def read_trials(connection: sa.Connection, study_id: int, space: Space, keys: Collection[str]) -> list[ToldTrial]:
    """Return every trial of a study by number, with these user attributes, without repeats."""
    trials: dict[int, tuple[Any, datetime | None]] = {}
    attributes: dict[int, dict[str, Any]] = {}
    for number, state, ended, key, text in connection.execute(_attributes_of(study_id, keys)):
        trials[number] = (state, ended)
        of_trial = attributes.setdefault(number, {})
        if key is not None:
            of_trial[key] = json.loads(text)
    stored = _stored(connection, study_id)
    return [
        ToldTrial(
            number=number,
            condition=from_stored(stored.get(number, {}), space),
            attributes=attributes[number],
            is_over=state.is_finished(),
            ended_ms=milliseconds(ended) if state.is_finished() else 0,
        )
        for number, (state, ended) in trials.items()
    ]


def conditions_of(connection: sa.Connection, study_id: int, space: Space) -> list[dict[str, Any]]:
    """Return the condition of every trial of a study with a final condition."""
    stored = _stored(connection, study_id, ~is_marked(REPEAT_OF, ASKED))
    return [from_stored(of_trial, space) for of_trial in stored.values()]


def digest_of_trials(connection: sa.Connection, study_id: int, keys: Collection[str]) -> str:
    """Return the SHA-256 of every trial of a study in the database: state, parameters, these attributes."""
    of_trials = _attributes_of(study_id, keys).order_by(ATTRIBUTES.c.key)
    of_params = _params_of(study_id).order_by(TRIALS.c.number, PARAMS.c.param_name)
    found = hashlib.sha256()
    for query in (of_trials, of_params):
        for row in connection.execute(query):
            found.update(repr(tuple(row)).encode())
    return found.hexdigest()


def _attributes_of(study_id: int, keys: Collection[str]):
    wanted = sa.and_(ATTRIBUTES.c.trial_id == TRIALS.c.trial_id, ATTRIBUTES.c.key.in_(list(keys)))
    return (
        sa.select(
            TRIALS.c.number, TRIALS.c.state, TRIALS.c.datetime_complete, ATTRIBUTES.c.key, ATTRIBUTES.c.value_json
        )
        .select_from(TRIALS)
        .outerjoin(ATTRIBUTES, wanted)
        .where(TRIALS.c.study_id == study_id, ~is_marked(REPEAT_OF))
        .order_by(TRIALS.c.number)
    )


def _stored(connection: sa.Connection, study_id: int, *which: sa.ColumnElement[bool]) -> dict[int, dict[str, float]]:
    """The parameters of trials as Optuna stores them, by number."""
    stored: dict[int, dict[str, float]] = {}
    for number, name, value in connection.execute(_params_of(study_id, *which)):
        stored.setdefault(number, {})[name] = value
    return stored


def _params_of(study_id: int, *which: sa.ColumnElement[bool]):
    return (
        sa.select(TRIALS.c.number, PARAMS.c.param_name, PARAMS.c.param_value)
        .select_from(TRIALS)
        .join(PARAMS, PARAMS.c.trial_id == TRIALS.c.trial_id)
        .where(TRIALS.c.study_id == study_id, *which)
    )
