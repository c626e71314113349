"""Read the evidence for the confirmed conditions of a sweep: their replicates on fresh seeds.

Each number is checked against its curve and against the sweep's own record at its end."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rothamsted import tags, tracking
from rothamsted.analysis.curves import read_series
from rothamsted.analysis.find import Staged, find_last_stage
from rothamsted.analysis.logged import BOOKKEEPING
from rothamsted.analysis.objectives import OBJECTIVE, not_finite, objective_of
from rothamsted.analysis.read_confirmed_metrics import CONFIRMED_METRICS, read_confirmed_metrics
from rothamsted.analysis.read_sweep import SweepRuns, read_sweep_runs, values_of_trial
from rothamsted.analysis.typed import label
from rothamsted.errors import PromotionError
from rothamsted.given_files import reading
from rothamsted.promotion.judge.applies import check_sweep
from rothamsted.promotion.judge.limits import metrics_of
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.types import Evidence, EvidenceRun
from rothamsted.records import Outcome, RunStatus
from rothamsted.spec import Sweep
from rothamsted.tracking import FoundRun

COMMIT = "mlflow.source.git.commit"
RESULTS = "statistics/confirmed_replicates.csv"  # what the sweep wrote down when its confirmation ended
_ENDED = (Outcome.FINISHED, Outcome.DIVERGED, Outcome.FAILED)


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Holds the confirmed conditions of a sweep, and what a comparison on fresh seeds needs."""

    sweep: Sweep
    run: FoundRun  # of the sweep
    evidences: tuple[Evidence, ...]  # one a condition, the search's best first
    seeds: frozenset[int]  # all that the sweep has trained on
    mark: str  # what a reader must know: which stage was read, or which of several runs; empty otherwise


def read_candidates(reference: str, policy: Policy, *, uri: str) -> Candidates:
    """Return the evidence for the confirmed conditions of a sweep.

    Args:
        reference: Name of the sweep, or id of its run. Of a sweep with stages the last stage is read.
        policy: The policy that judges them.
        uri: Tracking URI.

    Raises:
        PromotionError: The policy is for something else. Nothing is confirmed, the confirmation is incomplete, or has
            fewer seeds than the policy asks for. Runs were deleted or altered. Replicates have different code.
        StoreError: There is no such sweep, or the store does not answer.
    """
    staged = find_last_stage(reference, uri=uri)
    found = read_sweep_runs(staged.last.run_id, uri=uri)
    check_sweep(found.sweep, policy, names=(found.sweep.name, staged.name))
    replicates = [run for run in found.replicates if run.tags.get(tags.PHASE) == "confirm"]
    _check_confirmed(found, replicates)
    _check_results(found, replicates, uri=uri)
    _check_objectives(found.sweep, replicates, uri=uri)
    _check_metrics(found, replicates, policy, uri=uri)
    by_condition: dict[str, list[FoundRun]] = {}
    for run in replicates:
        by_condition.setdefault(run.tags["mlflow.parentRunId"], []).append(run)
    ordered = sorted(by_condition, key=lambda run_id: found.trials[run_id].start_ms)
    return Candidates(
        sweep=found.sweep,
        run=found.run,
        evidences=tuple(_evidence(found, found.trials[run_id], by_condition[run_id]) for run_id in ordered),
        seeds=frozenset(seed_of(run.tags.get(tags.SEED, ""), run.run_id) for run in found.replicates)
        | _seeds_of_stages(staged, uri=uri),
        mark=staged.mark,
    )


def on_runs(evidence: Evidence, run_ids: Sequence[str], *, uri: str) -> Evidence:
    """Return the same model's evidence on other replicates, such as those of a comparison on common seeds.

    Raises:
        PromotionError: One of the runs does not exist.
    """
    runs = []
    for run_id in run_ids:
        run = tracking.find_run(run_id, uri=uri)
        if run is None:
            raise PromotionError(f"run {run_id} of '{evidence.label}' does not exist or was deleted; restore it")
        runs.append(evidence_run(run))
    return replace(evidence, runs=tuple(runs))


def evidence_run(run: FoundRun) -> EvidenceRun:
    """Return one replicate as evidence; its objective is NaN unless it finished.

    A replicate that an older version called finished has diverged if its objective is not finite.
    """
    outcome = run.tags.get(tags.OUTCOME, "")
    value = run.metrics.get(OBJECTIVE, math.nan) if outcome == Outcome.FINISHED else math.nan
    if outcome == Outcome.FINISHED and not_finite([run.metrics.get(OBJECTIVE)], [OBJECTIVE]):
        outcome, value = Outcome.DIVERGED.value, math.nan
    return EvidenceRun(
        run_id=run.run_id,
        seed=run.tags.get(tags.SEED, ""),
        objective=value,
        metrics={name: number for name, number in run.metrics.items() if name not in BOOKKEEPING},
        outcome=outcome if outcome in _ENDED else Outcome.FAILED.value,
        model_uri=run.tags.get(tags.MODEL, ""),
    )


def seed_of(text: str, run_id: str) -> int:
    """Return the seed of a replicate as a number."""
    try:
        return int(text)
    except ValueError:
        raise PromotionError(
            f"run {run_id}: its seed is {text!r}, not a whole number, so it is not a replicate of a sweep; "
            "name another sweep"
        ) from None


def plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as JSON reads it back, so that it can be compared with a recorded one."""
    return json.loads(json.dumps(dict(values), default=str))


# ---- checks ----


def _seeds_of_stages(staged: Staged, *, uri: str) -> frozenset[int]:
    """The seeds that earlier stages have trained on; none without stages."""
    if staged.first.run_id == staged.last.run_id:
        return frozenset()
    return read_sweep_runs(staged.first.run_id, uri=uri).sweep.search_seeds


def _check_confirmed(found: SweepRuns, replicates: Sequence[FoundRun]) -> None:
    """Refuse a sweep whose confirmation is missing or has not ended."""
    sweep = found.sweep
    n_wanted = len(sweep.confirm_seeds)
    of_confirmation = [run for run in found.trials.values() if run.tags.get(tags.PHASE) == "confirm"]
    counts = {run.run_id: 0 for run in of_confirmation}
    for run in replicates:
        counts[run.tags["mlflow.parentRunId"]] += 1
    has_ended = all(run.tags.get(tags.OUTCOME) in _ENDED for run in replicates)
    is_closed = all(run.status in (RunStatus.FINISHED, RunStatus.FAILED) for run in of_confirmation)
    if not counts or not has_ended or not is_closed or min(counts.values()) < n_wanted:
        n_ended = sum(run.tags.get(tags.OUTCOME) in _ENDED for run in replicates)
        n_all = n_wanted * max(1, len(counts))
        raise PromotionError(
            f"sweep {sweep.name}: its confirmation is not complete, {n_ended} of {n_all} replicates have ended or are "
            "still there; give the sweep's command again to go on, or restore deleted runs"
        )


def _check_results(found: SweepRuns, replicates: Sequence[FoundRun], *, uri: str) -> None:
    """Refuse runs that are not those that the sweep wrote down when it ended, or have other numbers now."""
    text = tracking.read_text(found.run.run_id, RESULTS, uri=uri)
    if text is None:
        return  # a session that was killed before its end writes none; the other checks still look at its runs
    runs = {run.run_id: run for run in replicates}
    place = f"run {found.run.run_id}: artifact {RESULTS}"
    with reading(place, way_out="give the sweep's command again", error=PromotionError):
        rows = [(row["run_id"], row["outcome"], row["objective"]) for row in csv.DictReader(io.StringIO(text))]
        stated = [(run_id, outcome, float(number) if number else math.nan) for run_id, outcome, number in rows]
    for run_id, outcome, stood in stated:
        run = runs.get(run_id)
        place = f"sweep {found.sweep.name}: run {run_id} of its confirmation"
        if run is None:
            raise PromotionError(f"{place} was deleted or replaced; restore it, or give the sweep's command again")
        one = evidence_run(run)
        was = outcome
        if was == Outcome.FINISHED and one.outcome == Outcome.DIVERGED and not math.isfinite(stood):
            was, stood = Outcome.DIVERGED.value, math.nan  # written by an older version
        if one.outcome != was or not _is_equal(one.objective, stood):
            raise PromotionError(
                f"{place} was altered: {one.outcome} with {one.objective!r} now, {outcome} with {stood!r} when "
                f"the sweep ended ({RESULTS}); put it back"
            )


def _check_objectives(sweep: Sweep, replicates: Sequence[FoundRun], *, uri: str) -> None:
    """Refuse a replicate whose objective is not what its curve gives."""
    objective = sweep.objective
    finished = [run for run in replicates if run.tags.get(tags.OUTCOME) == Outcome.FINISHED]
    series = read_series({run.run_id: run.start_ms for run in finished}, [objective.metric], uri=uri)
    for run in finished:
        said = run.metrics.get(OBJECTIVE, math.nan)
        computed = objective_of(series[run.run_id].get(objective.metric), objective)
        if not _is_equal(said, math.nan if computed is None else computed):
            raise PromotionError(
                f"sweep {sweep.name}: run {run.run_id} was altered: its objective is {said!r}, its curve of "
                f"{objective.metric} gives {computed!r} ({objective.reduce}); put it back"
            )


def _check_metrics(found: SweepRuns, replicates: Sequence[FoundRun], policy: Policy, *, uri: str) -> None:
    """Refuse a replicate whose metrics of the policy's constraints have changed since the sweep ended."""
    wanted = metrics_of(policy.constraints)
    if not wanted:
        return
    stood = read_confirmed_metrics(found.run.run_id, uri=uri)  # empty where the session made no report
    for run in replicates:
        if run.run_id not in stood:
            continue
        place = f"sweep {found.sweep.name}: run {run.run_id} of its confirmation was altered"
        for metric in wanted:
            was, now = stood[run.run_id].get(metric), run.metrics.get(metric)
            if was is not None and now is None:
                raise PromotionError(
                    f"{place}: its metric {metric} was deleted, and was {was!r} when the sweep ended "
                    f"({CONFIRMED_METRICS}); put it back"
                )
            if not _is_equal(math.nan if now is None else now, math.nan if was is None else was):
                before = "was not there" if was is None else f"was {was!r}"
                raise PromotionError(
                    f"{place}: its metric {metric} is {now!r} now, and {before} when the sweep ended "
                    f"({CONFIRMED_METRICS}); put it back"
                )


def _is_equal(one: float, other: float) -> bool:
    """Whether two numbers are equal but for rounding (sums in another order differ in the last digits); NaN is NaN."""
    return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-12)


# ---- from runs to evidence ----


def _evidence(found: SweepRuns, trial: FoundRun, replicates: Sequence[FoundRun]) -> Evidence:
    sweep = found.sweep
    values = values_of_trial(trial, sweep)
    return Evidence(
        label=label(values),
        config=plain({**sweep.parameters, **values}),
        study=str(sweep.study),
        runs=tuple(sorted((evidence_run(run) for run in replicates), key=lambda run: seed_of(run.seed, run.run_id))),
        sweep=sweep.name,
        sweep_run_id=found.run.run_id,
        commit=found.run.tags.get(COMMIT, ""),
        code_digest="+".join(_digests(found, replicates, tags.CODE_DIGEST)),
        data_digest=_data_digest(found, replicates),
        metric=sweep.objective.metric,
        metrics=found.metrics,
    )


def _data_digest(found: SweepRuns, replicates: Sequence[FoundRun]) -> str:
    digests = _digests(found, replicates, tags.DATA_SHA)
    if len(digests) > 1:
        raise PromotionError(
            f"sweep {found.sweep.name}: the replicates of one condition trained on different data (digests "
            f"{', '.join(digest[:12] for digest in digests)}), so that they are no sample of one model; run the sweep "
            "again under another name"
        )
    return digests[0]


def _digests(found: SweepRuns, replicates: Sequence[FoundRun], tag: str) -> list[str]:
    """The digests that the replicates carry; where they carry none, that of their sweep."""
    own = sorted({run.tags[tag] for run in replicates if tag in run.tags})
    return own or [found.run.tags.get(tag, "")]
