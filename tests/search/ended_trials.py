"""Trials of a queue that have ended, as Optuna reads them."""

from __future__ import annotations

import optuna

from rothamsted.search import Queue


def finished_trials(queue: Queue) -> list[optuna.trial.FrozenTrial]:
    """All trials that are complete, pruned or failed, in order; past the study's cache, which keeps what has ended."""
    trials = queue._backend.get_all_trials(queue.study_id, deepcopy=False)
    return sorted((one for one in trials if one.state.is_finished()), key=lambda one: one.number)
