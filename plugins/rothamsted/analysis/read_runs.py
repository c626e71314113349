"""Read any MLflow runs as conditions and replicates: grouped by their parameters.

Nothing is known but what the user says and the runs hold.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence

from rothamsted import tracking
from rothamsted.analysis.curves import default_curves, read_series
from rothamsted.analysis.logged import BOOKKEEPING, check_metrics
from rothamsted.analysis.objectives import not_finite, objective_of
from rothamsted.analysis.progress_words import SO_FAR
from rothamsted.analysis.scored import score_of, with_score
from rothamsted.analysis.typed import factors_of, label, typed
from rothamsted.analysis.values import Condition, Dataset, Objective, Replicate, Series
from rothamsted.errors import StoreError
from rothamsted.expression import Expression
from rothamsted.records import RunStatus
from rothamsted.space import identity
from rothamsted.tracking import FoundRun
from rothamsted.wording import plain_count, verb

SUMMARY_ROLE = "summary"  # rothamsted.role of the run that an analysis writes, which is no result itself
_OUTCOMES = {
    RunStatus.FINISHED.value: "finished",
    RunStatus.FAILED.value: "failed",
    RunStatus.KILLED.value: "interrupted",
}


def read_runs(
    experiment: str,
    *,
    group_by: Sequence[str],
    replicate_by: str | None,
    objective: Objective,
    uri: str,
    curves: Collection[str] | None = None,
    has_samples: bool = False,
    is_direction_guessed: bool = False,
) -> Dataset:
    """Return the runs of an experiment as a dataset.

    Args:
        experiment: Its name in MLflow.
        group_by: Parameters (or tags) whose values make a condition.
        replicate_by: Parameter (or tag) that identifies replicates and pairs them over conditions, usually the seed.
            None: runs of one condition are replicates, and nothing pairs them.
        objective: What conditions are compared by; its metric may be arithmetic on metrics, see `score_of`.
        uri: Tracking URI.
        curves: Metrics to read with their curves.
        has_samples: Whether the samples seen at each step are read too.
        is_direction_guessed: Whether the objective's direction is a guess.

    Raises:
        StoreError: There is no such experiment, it has no runs, or no run has a field or metric.
    """
    experiment_id = tracking.find_experiment(experiment, uri=uri)
    runs = [r for r in tracking.find_runs([experiment_id], {}, uri=uri) if _is_result(r)]
    place = f"experiment {experiment}"
    if not runs:
        raise StoreError(f"{place}: holds no runs to analyse; name another experiment")
    fields = [*group_by, *([replicate_by] if replicate_by else [])]
    _check_fields(fields, runs, place)
    known = sorted({name for run in runs for name in run.metrics})
    score = score_of(objective, known, place, is_direction_guessed=is_direction_guessed)
    needed = [objective.metric] if score is None else sorted(Expression(score.expression or "").names)
    check_metrics([*needed, *(curves or [])], known, place)
    kept, marks = _with_fields(runs, fields)
    hidden = _hidden_parameters(kept, group_by, replicate_by)
    kept, repeated = _latest_of_each(kept, group_by, replicate_by)
    names = list(dict.fromkeys([*needed, *(curves or default_curves(needed[0], known))]))
    starts = {run.run_id: run.start_ms for run in kept}
    series = read_series(starts, names, uri=uri, has_samples=has_samples)
    conditions, replicates = _grouped(kept, group_by, replicate_by, objective, series)
    n_running = sum(r.outcome == "running" for r in replicates)
    dataset = Dataset(
        name=experiment,
        kind="runs",
        objective=objective,
        factors=tuple(factors_of(conditions)),
        conditions=tuple(conditions),
        replicates=tuple(sorted(replicates, key=lambda r: r.condition)),
        experiment_id=experiment_id,
        design={
            "runs": f"experiment {experiment}, {len(kept)} of {len(runs)} runs",
            "grouped by": ", ".join(group_by),
            "replicates": f"told apart by {replicate_by}" if replicate_by else "runs of one condition, unpaired",
        },
        is_complete=not n_running,
        marks=(*marks, *_marks(repeated, hidden, n_running, replicate_by)),
    )
    return dataset if score is None else with_score(dataset, score)


def _grouped(
    runs: Sequence[FoundRun],
    group_by: Sequence[str],
    replicate_by: str | None,
    objective: Objective,
    series: Mapping[str, Mapping[str, Series]],
) -> tuple[list[Condition], list[Replicate]]:
    """The conditions in the order in which they first appear, and a replicate for each run."""
    conditions: dict[Hashable, Condition] = {}
    seeds: dict[Hashable, str] = {}  # typed -> as it was first written, so that 1 and 1.0 pair
    replicates = []
    for run in runs:
        key = _key(run, group_by)
        if key not in conditions:
            values = {name: typed(_field(run, name) or "") for name in group_by}
            conditions[key] = Condition(number=len(conditions), values=values, label=label(values))
        written = (_field(run, replicate_by) or "") if replicate_by else ""
        seed = seeds.setdefault(identity(typed(written)), written)
        replicates.append(_replicate(run, conditions[key].number, seed, objective, series[run.run_id]))
    return list(conditions.values()), replicates


def _replicate(
    run: FoundRun, condition: int, seed: str, objective: Objective, series: Mapping[str, Series]
) -> Replicate:
    outcome = _OUTCOMES.get(run.status, "running")
    value = objective_of(series.get(objective.metric), objective) if outcome == "finished" else None
    why = not_finite([value], [objective.metric])
    return Replicate(
        run_id=run.run_id,
        condition=condition,
        seed=seed,
        outcome="diverged" if why else outcome,
        objective=math.nan if value is None or why else value,
        seconds=math.nan if run.end_ms is None else (run.end_ms - run.start_ms) / 1000.0,
        metrics={name: number for name, number in run.metrics.items() if name not in BOOKKEEPING},
        reason=why,
        series=series,
        started_ms=run.start_ms,
    )


def _marks(repeated: int, hidden: Sequence[str], n_running: int, replicate_by: str | None) -> list[str]:
    """What a reader has to know of the runs that were grouped."""
    marks = []
    if repeated:
        marks.append(
            f"{plain_count(repeated, 'run')} {verb(repeated, 'repeats', 'repeat')} a condition and {replicate_by} of a "
            "later run; the latest of each counts."
        )
    if hidden:
        marks.append(
            f"Runs of one condition differ in {', '.join(hidden)}, which is not in group_by: their spread is not "
            "that of replicates."
        )
    if n_running:
        marks.append(f"{plain_count(n_running, 'run')} {verb(n_running, 'is', 'are')} still running; {SO_FAR}.")
    return marks


def _is_result(run: FoundRun) -> bool:
    return run.tags.get("rothamsted.role") != SUMMARY_ROLE


def _field(run: FoundRun, name: str) -> str | None:
    return run.params.get(name, run.tags.get(name))


def _check_fields(fields: Sequence[str], runs: Sequence[FoundRun], place: str) -> None:
    known = {name for run in runs for name in run.params}
    tagged = {name for run in runs for name in run.tags}
    for name in fields:
        if name not in known and name not in tagged:
            own = sorted(name for name in tagged if not name.startswith("mlflow."))
            raise StoreError(
                f"{place}: no run has a parameter or tag '{name}'; parameters: {', '.join(sorted(known)) or 'none'}"
                + (f"; tags: {', '.join(own)}" if own else "")
            )


def _with_fields(runs: Sequence[FoundRun], fields: Sequence[str]) -> tuple[list[FoundRun], list[str]]:
    """The runs that have all the fields, and a mark that counts the others by what they lack."""
    kept: list[FoundRun] = []
    lacking: Counter[str] = Counter()
    for run in runs:
        missing = next((name for name in fields if _field(run, name) is None), None)
        if missing is None:
            kept.append(run)
        else:
            lacking[missing] += 1
    return kept, [
        f"{plain_count(n, 'run')} {verb(n, 'has', 'have')} no '{name}' and {verb(n, 'is', 'are')} left out."
        for name, n in lacking.items()
    ]


def _latest_of_each(
    runs: Sequence[FoundRun], group_by: Sequence[str], replicate_by: str | None
) -> tuple[list[FoundRun], int]:
    """Of runs with the same condition and seed the latest that finished, else the latest; and how many repeat."""
    if replicate_by is None:
        return list(runs), 0
    chosen: dict[Hashable, FoundRun] = {}
    for run in runs:  # oldest start first
        key = _key(run, [*group_by, replicate_by])
        if key not in chosen or run.is_finished or not chosen[key].is_finished:
            chosen[key] = run
    order = {run.run_id: i for i, run in enumerate(runs)}
    return sorted(chosen.values(), key=lambda run: order[run.run_id]), len(runs) - len(chosen)


def _hidden_parameters(runs: Sequence[FoundRun], group_by: Sequence[str], replicate_by: str | None) -> list[str]:
    """Parameters that differ between runs of one condition, though nobody asked for them."""
    known = {name for run in runs for name in run.params} - {*group_by, replicate_by}
    first: dict[Hashable, FoundRun] = {}
    hidden: set[str] = set()
    for run in runs:
        other = first.setdefault(_key(run, group_by), run)
        hidden |= {name for name in known if _value(run.params.get(name)) != _value(other.params.get(name))}
    return sorted(hidden)


def _key(run: FoundRun, names: Sequence[str]) -> Hashable:
    """Equal for equal values, however they are written: 0.1 and 0.10, 1e-05 and 0.00001."""
    return tuple(_value(_field(run, name)) for name in names)


def _value(text: str | None) -> Hashable:
    return None if text is None else identity(typed(text))
