"""Read a sweep from its search only, for decisions: two queries, no curves.

The search has no curves, metrics, times and provenance; the record in MLflow has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from rothamsted import tags
from rothamsted.analysis.conditions import in_order, make_condition
from rothamsted.analysis.constraints import violations
from rothamsted.analysis.equal_conditions import counted_once
from rothamsted.analysis.growth_words import growth_marks
from rothamsted.analysis.independent import independent
from rothamsted.analysis.no_effect import distinct
from rothamsted.analysis.parent_words import parent_marks
from rothamsted.analysis.progress_words import SO_FAR, ended_words
from rothamsted.analysis.race_words import race_mark
from rothamsted.analysis.ranking import ranked
from rothamsted.analysis.sweep_record import design_of, looked_by
from rothamsted.analysis.told_replicates import replicates_of
from rothamsted.analysis.typed import factors_of
from rothamsted.analysis.values import Condition, Dataset, Replicate
from rothamsted.metric import Metric
from rothamsted.search import Queue, ToldTrial
from rothamsted.spec import Sweep
from rothamsted.wording import plain_count, verb

KEYS = (tags.RESULT, tags.RUN_ID, tags.VERDICT, tags.CONTESTANT)  # of a trial, from which its condition is made


def read_search(
    queue: Queue,
    sweep: Sweep,
    *,
    confirmation: Queue | None = None,
    run_id: str = "",
    experiment_id: str = "",
    question: str = "",
    metrics: Mapping[str, Metric] | None = None,
    growths: Sequence[Mapping[str, Any]] = (),
) -> Dataset:
    """Return the dataset of a sweep as its search has it: every condition with some result.

    Args:
        queue: Queue of the search.
        sweep: The sweep of the search.
        confirmation: Queue of its confirmation; None: there is none, or it does not matter.
        run_id: Id of the sweep's run.
        experiment_id: MLflow's folder of the run.
        question: The sweep file's opening comment.
        metrics: Declarations of the study's metrics.
        growths: What was added to it and when, in order.
    """
    fresh = confirmation.trials([tags.CONFIRMS, tags.RESULT]) if confirmation is not None else []
    trials = queue.trials(KEYS)
    found = dataset_of(sweep, trials, fresh, run_id=run_id, experiment_id=experiment_id, question=question)
    grown = (*growth_marks(growths), *parent_marks(sweep))
    found = replace(found, metrics=metrics or {}, marks=(*found.marks, *grown))
    if confirmation is None or sweep.confirm is None or not found.is_complete:
        return found
    begun = {condition.number for condition in found.conditions if condition.confirm_run_id}
    ranking = ranked(independent(found))
    if any(begun.issuperset(those[: sweep.confirm.keep]) for those in (ranking, distinct(found, ranking))):
        return found
    mark = "This sweep is not finished: its best conditions have not all been trained on fresh seeds."
    return replace(found, is_complete=False, marks=(mark, *found.marks))


def dataset_of(
    sweep: Sweep,
    trials: Sequence[ToldTrial],
    fresh: Sequence[ToldTrial] = (),
    *,
    run_id: str = "",
    experiment_id: str = "",
    question: str = "",
) -> Dataset:
    """Return the dataset of these trials of a sweep's search, and of its confirmation."""
    told = [trial for trial in trials if tags.RESULT in trial.attributes]
    confirm_runs = {one["trial"]: one["run_id"] for one in (trial.attributes[tags.CONFIRMS] for trial in fresh)}
    of_trial = {trial.number: replicates_of(trial, sweep) for trial in told}
    of_fresh = [one for trial in fresh for one in replicates_of(trial, sweep)]
    replicates = [*chain.from_iterable(of_trial.values()), *of_fresh]
    conditions = [_condition(sweep, t, of_trial[t.number], confirm_runs.get(t.number, "")) for t in told]
    once = counted_once(conditions, replicates, sweep.space)
    n_over = sum(trial.is_over for trial in trials)
    open_trials = [trial for trial in (*trials, *fresh) if not trial.is_over]
    is_racing = any(condition.race == tags.RACING for condition in once.conditions)
    is_complete = n_over >= sweep.n_trials and not open_trials and not is_racing
    marks = [
        "" if is_complete else _progress_mark(n_over, sweep.n_trials, [t for t in fresh if not t.is_over]),
        race_mark(once.conditions, level=sweep.statistics.level),
        *once.marks,
    ]
    is_contest = any(tags.CONTESTANT in trial.attributes for trial in trials)
    return Dataset(
        name=sweep.name,
        kind="contest" if is_contest else "sweep",
        objective=sweep.objective,
        factors=tuple(factors_of(once.conditions, sweep.space)),
        conditions=once.conditions,
        replicates=in_order(once.replicates),
        question=question,
        run_id=run_id,
        experiment_id=experiment_id,
        design=design_of(sweep),
        looked_by=looked_by(sweep),
        sampler=sweep.sampler.name,
        task=sweep.task,
        is_complete=is_complete,
        marks=tuple(mark for mark in marks if mark),
        others=tuple(sweep.objectives[1:]),
        statistics=sweep.statistics,
        unconfirmed=frozenset(once.number(t.attributes[tags.CONFIRMS]["trial"]) for t in fresh if not t.is_over),
        varied=sweep.varied,
        crossed=sweep.replicates.crossed,
        n_repeated=len(once.moved),
    )


def _condition(sweep: Sweep, trial: ToldTrial, replicates: Sequence[Replicate], confirm_run_id: str) -> Condition:
    verdict = trial.attributes.get(tags.VERDICT, {}).get("verdict")
    pruned = trial.attributes[tags.RESULT].get("pruned", "")
    racing = tags.RACING if sweep.replicates.racing is not None and not pruned else ""
    return make_condition(
        trial.number,
        trial.condition,
        race=racing if verdict is None else verdict,
        pruned=pruned,
        name=trial.attributes.get(tags.CONTESTANT, ""),
        run_id=trial.attributes.get(tags.RUN_ID, ""),
        confirm_run_id=confirm_run_id,
        violations=violations(sweep.constraints, [one.last for one in replicates if one.last]),
    )


def _progress_mark(n_over: int, n_trials: int, fresh_open: Sequence[ToldTrial]) -> str:
    if n_over < n_trials:
        return f"This sweep is not finished: {ended_words(n_over, n_trials)}; {SO_FAR}."
    if fresh_open:
        n, has = plain_count(len(fresh_open), "replicate"), verb(len(fresh_open), "has", "have")
        return f"This sweep is not finished: {n} on fresh seeds {has} not ended."
    return f"This sweep is not finished: some conditions will get more replicates; {SO_FAR}."
