"""Write what optuna-dashboard shows of an analysed sweep into Optuna's tables: plots, verdicts on trials.

The rows are those of `optuna_dashboard`, whose import takes over a second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from rothamsted.search.sql.tables import (
    STUDY_SYSTEM_ATTRIBUTES,
    TRIALS,
    set_attributes_of_trials,
    set_study_system_attributes,
)

PART_CHARACTERS = 2045  # a plot is kept in parts of this length
_PLOT = "dashboard:plot_data:"


def set_plot(tx: sa.Connection, study_id: int, name: str, figure: Mapping[str, Any]) -> None:
    """Insert or replace a plot of a study, as `optuna_dashboard.save_plotly_graph_object` does.

    Args:
        tx: A transaction of the search.
        study_id: Of the study.
        name: Letters, digits, "-", "_", ":" and "."; it is an id in the page.
        figure: Plotly's JSON: data and layout.
    """
    text, prefix = json.dumps(figure, allow_nan=False), f"{_PLOT}{name}:"
    parts = [text[start : start + PART_CHARACTERS] for start in range(0, len(text), PART_CHARACTERS)]
    c = STUDY_SYSTEM_ATTRIBUTES.c
    there = sa.select(sa.func.count()).where(c.study_id == study_id, c.key.startswith(prefix, autoescape=True))
    parts += [""] * ((tx.execute(there).scalar() or 0) - len(parts))  # parts of a longer one before
    set_study_system_attributes(tx, study_id, {f"{prefix}{i}": part for i, part in enumerate(parts)})


def set_on_trials(tx: sa.Connection, study_id: int, attributes: Mapping[int, Mapping[str, Any]]) -> None:
    """Insert or replace user attributes of trials, by their number."""
    query = sa.select(TRIALS.c.number, TRIALS.c.trial_id).where(TRIALS.c.study_id == study_id)
    ids = {number: trial_id for number, trial_id in tx.execute(query) if number in attributes}
    set_attributes_of_trials(tx, {ids[number]: of_trial for number, of_trial in attributes.items() if number in ids})
