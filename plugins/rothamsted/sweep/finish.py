"""The end of a sitting: tables, best condition and confirmation written to the sweep's run, and what is printed.

Apart from the coordinator, which starts and watches, because this only reads results and writes them down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from rothamsted import tracking
from rothamsted.records import MetricPoint
from rothamsted.search import dashboard_command
from rothamsted.sweep import results as res
from rothamsted.sweep.confirmed import (
    Confirmation,
    confirmed_csv,
    confirmed_replicates_csv,
    confirmed_table,
    markdown,
    metric_points,
    read_confirmations,
)
from rothamsted.sweep.coordinator.progress import best_table
from rothamsted.sweep.description import description, fates, no_score, race_text
from rothamsted.sweep.opened import SweepContext
from rothamsted.sweep.worker.model_log import models_text


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a sweep has found so far."""

    results: Sequence[res.ConditionResult]
    confirmations: Sequence[Confirmation]
    models: str = ""  # how many were logged, and why others were not


def read_found(search: SweepContext, confirmation: SweepContext | None) -> Found:
    """Read all results of a sweep."""
    results = res.read_results(search.queue)
    confirm, direction = search.sweep.confirm, search.sweep.objective.direction
    if confirm is None or confirmation is None:
        return Found(results=results, confirmations=(), models=models_text(results))
    winners = res.ranked(results, direction)[: confirm.keep]
    return Found(
        results=results,
        confirmations=read_confirmations(confirmation.queue, winners, direction),
        models=models_text([*results, *res.read_results(confirmation.queue)]),
    )


def write_found(found: Found, search: SweepContext, confirmation: SweepContext | None, *, question: str) -> None:
    """Tables, description, metrics and tags of the sweep's run, and the notes that optuna-dashboard shows."""
    sweep, run_id, recorder = search.sweep, search.sweep_run_id, search.recorder
    names = list(sweep.search_space.domains)
    direction, constraints = sweep.objective.direction, sweep.constraints
    conditions = res.conditions_csv(found.results, names, direction=direction, constraints=constraints)
    recorder.log_text(run_id, conditions, "statistics/conditions.csv")
    recorder.log_text(run_id, res.replicates_csv(found.results, names), "statistics/replicates.csv")
    text = description(found.results, sweep, question=question)
    text += _confirmation_text(found, search, confirmation)
    recorder.set_description(run_id, text)
    metrics = [objective.metric for objective in sweep.objectives]
    search.queue.describe(metric=metrics, note=text)
    if confirmation is not None:
        recorder.log_text(run_id, confirmed_csv(found.confirmations, names), "statistics/confirmed.csv")
        replicates = confirmed_replicates_csv(found.confirmations)
        recorder.log_text(run_id, replicates, "statistics/confirmed_replicates.csv")
        of = f"Fresh seeds for the best of sweep [{sweep.name}](/dashboard/studies/{search.queue.study_id}): "
        confirmation.queue.describe(metric=metrics, note=f"{of}one trial a replicate.\n\n{text}")
    _write_metrics(found, search)


def print_found(found: Found, search: SweepContext, *, console: Console, left: str) -> None:
    """The best conditions, the confirmed estimate, what is left to do, and how to look at it all."""
    sweep = search.sweep
    objective, level = sweep.objective, sweep.statistics.level
    for line in fates(found.results, sweep):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if res.ranked(found.results, objective.direction):
        if any(r.race for r in found.results):
            console.print(race_text(found.results), highlight=False, soft_wrap=True)
        console.print(best_table(found.results, sweep))
    else:
        for line in no_score(found.results):
            console.print(line, highlight=False, soft_wrap=True, markup=False)
        if sweep.confirm is not None and not left:
            console.print("so there is nothing to confirm")
    if found.confirmations:
        console.print(confirmed_table(found.confirmations, metric=objective.metric, level=level))
    if found.models:
        console.print(found.models, highlight=False, soft_wrap=True, markup=False)
    if left:
        console.print(f"{left}: give the same command again to go on", soft_wrap=True)
    link = tracking.run_path(search.experiment_id, search.sweep_run_id)
    console.print("see this sweep in MLflow and in optuna-dashboard:", soft_wrap=True)
    ui = tracking.ui_command(search.tracking_uri)
    console.print(f"  {ui}    # then /{link.lstrip('/')}", soft_wrap=True, markup=False)
    dashboard = dashboard_command(sweep.storage)
    console.print(f"  {dashboard}    # study {sweep.name}", soft_wrap=True, markup=False)


def _confirmation_text(found: Found, search: SweepContext, confirmation: SweepContext | None) -> str:
    if confirmation is None:
        return ""
    sweep = search.sweep
    study = f"[{sweep.confirm_name}](/dashboard/studies/{confirmation.queue.study_id})"
    is_ended = len(found.results) >= sweep.n_trials
    if is_ended and not res.ranked(found.results, sweep.objective.direction):
        return "\n### Confirmation\n\nThere is no best condition, so there is nothing to confirm.\n"
    if not found.confirmations:
        return f"\n### Confirmation\n\nNot finished. Its replicates are in the Optuna study {study}.\n"
    level = sweep.statistics.level
    return "\n" + markdown(found.confirmations, metric=sweep.objective.metric, level=level, study=study)


def _write_metrics(found: Found, search: SweepContext) -> None:
    """The best condition as tags and metrics of the sweep run, each estimate named as what it is.

    Those of the search have the time of the last result: written again with nothing new, they are the same points.
    """
    results = found.results
    best = next(iter(res.ranked(results, search.sweep.objective.direction)), None)
    stamp = max((r.ended_ms for r in results), default=0)
    values = {f"replicates/{outcome}": float(n) for outcome, n in res.outcome_counts(results).items()}
    run_tags: dict[str, str] = {}
    if best is not None:
        of = {"": best.summary} | {f".{other['metric']}": other["summary"] for other in best.others}
        values |= {
            f"best_in_search{name}/{key}": float(value)
            for name, summary in of.items()
            for key, value in summary.items()
            if value is not None
        }
        run_tags = {
            "rothamsted.best_trial": str(best.number),
            "rothamsted.best_run": best.run_id,
            "rothamsted.best_condition": ", ".join(f"{k}={v}" for k, v in best.condition.items())[:5000],
        }
    points = [MetricPoint(key, value, stamp, len(results)) for key, value in values.items()]
    if found.confirmations and best is not None and found.confirmations[0].search.number == best.number:
        points_of_winner = metric_points(found.confirmations[0], level=search.sweep.statistics.level)
        search.recorder.replace_metrics(search.sweep_run_id, points_of_winner)
        run_tags["rothamsted.confirmed_run"] = found.confirmations[0].confirmed.run_id
    search.recorder.log(search.sweep_run_id, metrics=points, tags=run_tags)
