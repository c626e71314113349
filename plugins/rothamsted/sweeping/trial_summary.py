"""Summarise the replicates of a trial: points, tags and status of its run, and its result for Optuna."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rothamsted import tags
from rothamsted.analysis.objectives import objective_key
from rothamsted.analysis.points import CURVE, SPREAD, looks_of, summary_points, with_spread
from rothamsted.analysis.race_words import race_note
from rothamsted.analysis.told_replicates import as_told
from rothamsted.analysis.values import Replicate
from rothamsted.metric import TEST_PREFIX, Metric, declared
from rothamsted.printable import markdown
from rothamsted.recordable import recordable
from rothamsted.records import Ending, Measured, MetricPoint, Outcome, RunStatus
from rothamsted.search import Told
from rothamsted.space import Choice
from rothamsted.spec import Objective, Statistics, Sweep
from rothamsted.statistics import describe, summarize
from rothamsted.statistics.centres import MEAN, words_of
from rothamsted.statistics.crossed import Crossing, crossing_of
from rothamsted.statistics.ranges import scale_of
from rothamsted.statistics.sequential import schedule_looks
from rothamsted.sweeping.scores import NO_NUMBER, violations
from rothamsted.wording import with_basis


def tested(ending: Ending) -> dict[str, float]:
    """Return the finite test metrics of a replicate's model. JSON cannot keep others."""
    finite = {name: value for name, value in ending.closing.items() if math.isfinite(value)}
    return {name: value for name, value in finite.items() if name.startswith(TEST_PREFIX)}


def kept_tags(ending: Ending) -> dict[str, str]:
    """Return tags that say which weights the model of a replicate has."""
    return {tags.KEPT: str(ending.kept)} if ending.kept is not None else {}


def objective_points(
    results: Sequence[Replicate],
    sweep: Sweep,
    metrics: Mapping[str, Metric],
    *,
    timestamp_ms: int,
    step: int = 0,
    is_last: bool = True,
) -> list[MetricPoint]:
    """Return `objective/mean`, `objective/ci_low`, ... of a condition; in a race by the number of replicates.

    The spread over replicates is written once, at the last look.
    """
    keys = (*CURVE, *SPREAD) if is_last else CURVE
    points = []
    for index, objective in enumerate(sweep.objectives):
        if len(scores := _scores(results, index)):
            key, level = objective_key(index, objective.metric), sweep.statistics.level
            at, known = np.array([step]), declared(metrics, objective.metric)
            how: dict[str, Any] = {"level": level, "timestamp_ms": timestamp_ms, "known": known, "over": objective.over}
            how["interval"] = sweep.statistics.interval
            of_one = summary_points(key, at, scores[:, None], **how, crossing=_crossing(results, sweep), keys=keys)
            points += with_spread(of_one, objective.over)
    return points


def points_at_looks(
    results: Sequence[Replicate],
    sweep: Sweep,
    metrics: Mapping[str, Metric],
    *,
    timestamp_ms: int,
    is_fresh: bool = False,
) -> list[MetricPoint]:
    """Return the objective's summary at each number of replicates, for a chart; in a race at each look.

    For crossed replicates there is only the last: the first few are not a complete crossing. With `is_fresh` they are
    those of a confirmation, which does not race.
    """
    racing = None if is_fresh else sweep.replicates.racing
    n_ended = 1 + max((r.number for r in results), default=-1)
    if racing is not None:
        looks = [n for n in schedule_looks(n_min=racing.min, n_max=racing.max, step=racing.step) if n <= n_ended]
    else:
        looks = [n_ended] if sweep.replicates.crossed else looks_of(n_ended)
    points: list[MetricPoint] = []
    for n in looks:
        seen, is_last = [r for r in results if r.number < n], n == looks[-1]
        points += objective_points(seen, sweep, metrics, timestamp_ms=timestamp_ms, step=n, is_last=is_last)
    return points


def told(
    results: Sequence[Replicate],
    sweep: Sweep,
    metrics: Mapping[str, Metric],
    *,
    run_id: str,
    link: str,
    race: str = "",
    pruned: str = "",
) -> Told:
    """Return a trial's result for Optuna: means over replicates with a score, +-inf if one diverged.

    A pruned trial has no values: Optuna takes its last report.
    """
    n_by_outcome = Counter(r.outcome for r in results)
    counted = [] if pruned else results  # what stopped it chose which of its replicates have a score
    summaries = [
        summary_of(
            _scores(counted, index),
            sweep.statistics,
            declared(metrics, objective.metric),
            _crossing(counted, sweep),
            over=objective.over,
        )
        for index, objective in enumerate(sweep.objectives)
    ]
    broken = violations(results, sweep)
    values = tuple(
        _worst(objective) if n_by_outcome[Outcome.DIVERGED] else value_of(summary)
        for objective, summary in zip(sweep.objectives, summaries, strict=True)
    )
    has_values = not pruned and all(value is not None for value in values)
    result = {
        "summary": summaries[0],
        "outcomes": dict(n_by_outcome),
        "replicates": [as_told(r) for r in results],
    }
    if len(summaries) > 1:
        result["others"] = [
            {"metric": objective.metric, "direction": objective.direction, "summary": summary}
            for objective, summary in zip(sweep.objectives[1:], summaries[1:], strict=True)
        ]
    result |= {"violations": list(broken)} if broken else {}
    result |= {"pruned": pruned} if pruned else {}
    return Told(
        values=tuple(float(value) for value in values if value is not None) if has_values else None,
        state="pruned" if pruned else None,
        constraints=broken if has_values else (),
        attributes={tags.RUN_ID: run_id, tags.RESULT: result},
        note=_note(result, sweep, link, race),
    )


def _scores(results: Sequence[Replicate], index: int) -> np.ndarray:
    found = [r.objective if index == 0 else r.others[index - 1] for r in results if r.has_score]
    return np.array(found, dtype=float)


def _crossing(results: Sequence[Replicate], sweep: Sweep) -> Crossing | None:
    """Which combination each scored replicate is, of a search whose replicates are crossed; None on fresh seeds."""
    if not {int(r.seed) for r in results} <= set(sweep.replicates.values):
        return None
    return crossing_of(sweep.replicates.crossed, [r.number for r in results if r.has_score])


def summary_of(
    scores: np.ndarray, how: Statistics, metric: Metric, crossing: Crossing | None = None, *, over: str = MEAN
) -> dict[str, Any]:
    """Return statistics and interval of the scores (replicate,); empty without any; undefined ones are None.

    If `objective.over` names another number than the mean, it is `value`, and the interval is for it.
    """
    if not len(scores):
        return {}
    all_found = summarize(scores[:, None], how.level, metric, crossing, method=how.interval)
    found: dict[str, Any] = {name: _finite(column[0]) for name, column in all_found.items()}
    if over == MEAN:
        return {**found, "method": scale_of(scores, metric) if how.interval == "t" else how.interval}
    own = describe(scores, level=how.level, metric=metric, over=over)
    low, high = (own.interval.low, own.interval.high) if own.interval else (None, None)
    method = own.interval.method if own.interval else ""
    return {**found, "ci_low": low, "ci_high": high, "method": method, "over": over, "value": _finite(own.centre)}


def value_of(summary: Mapping[str, Any]) -> float | None:
    """Return the number of a condition in a summary: that of `objective.over`, else the mean; None if undefined."""
    return summary["value"] if "value" in summary else summary.get("mean")


def _worst(objective: Objective) -> float:
    return math.inf if objective.direction == "minimize" else -math.inf


def describe_estimate(summary: Mapping[str, Any], level: float) -> str:
    """Return text such as '0.123 [0.110, 0.136] (95 %, t, n = 3)', or why there is no interval."""
    value = value_of(summary)
    if value is None:
        return "no score"
    low, high = (math.nan if summary.get(end) is None else summary[end] for end in ("ci_low", "ci_high"))
    method = summary.get("method", "t")  # one that was told before the method was kept
    text = with_basis(value, low, high, level=level, method=method, n=int(summary["n"]))
    return f"{words_of(summary['over'])} {text}" if "over" in summary else text


def describe_violation(violation: float) -> str:
    """Return 'holds', or by how much it does not."""
    if violation <= 0:
        return "holds"
    return "cannot be judged" if violation >= NO_NUMBER else f"broken by {violation:.4g}"


def _note(result: Mapping[str, Any], sweep: Sweep, link: str, race: str) -> str:
    level = sweep.statistics.level
    counts = ", ".join(f"{n} {outcome}" for outcome, n in result["outcomes"].items())
    parts = [f"pruned: {result['pruned']}"] if "pruned" in result else []
    parts += [f"objective: {describe_estimate(result['summary'], level)}"]
    parts += [f"{other['metric']}: {describe_estimate(other['summary'], level)}" for other in result.get("others", ())]
    broken = zip(sweep.constraints, result.get("violations", ()))
    parts += [f"constraint {text}: {describe_violation(violation)}" for text, violation in broken]
    parts += [f"replicates: {counts}"]
    parts += [f"race: {race}"] if race else []
    parts += [spoiled] if (spoiled := race_note(race)) else []
    return "\n\n".join([*map(markdown, parts), f"[its run in MLflow]({link})\n"])


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


# ---- the trial's run ----


def now_ms() -> int:
    """Return the time of day in milliseconds, as MLflow keeps it."""
    return time.time_ns() // 1_000_000


def closing_status(results: Iterable[Replicate], pruned: str = "") -> RunStatus:
    """Return the status of a trial's run when all its replicates have ended."""
    if pruned:
        return RunStatus.KILLED
    has_score = any(r.has_score or r.outcome == Outcome.DIVERGED for r in results)
    return RunStatus.FINISHED if has_score else RunStatus.FAILED


def closing_tags(results: Sequence[Replicate], more: Mapping[str, str], pruned: str) -> dict[str, str]:
    """Return tags on how a trial's replicates ended, why it was pruned, and those of its assignment."""
    if pruned:
        more = {tags.OUTCOME: Outcome.PRUNED.value, tags.PRUNED_BECAUSE: pruned[:500]}
    return {**outcome_tags(results), **more}


def outcome_tags(results: Iterable[Replicate]) -> dict[str, str]:
    """Return tags with the counts of outcomes, and the best outcome, of a trial's replicates."""
    counts = Counter(result.outcome for result in results)
    best = next(o for o in (Outcome.FINISHED, Outcome.DIVERGED, Outcome.PRUNED, Outcome.FAILED) if counts[o])
    return {f"rothamsted.n_{o.value}": str(counts[o]) for o in Outcome if counts[o]} | {tags.OUTCOME: best.value}


def last_ms(results: Iterable[Replicate], histories: Mapping[str, Sequence[Measured]]) -> int:
    """Return the time of the last measurement of a summary, so that it does not depend on when it is written."""
    finished = [histories.get(r.run_id) for r in results if r.outcome == Outcome.FINISHED]
    return max((history[-1].timestamp_ms for history in finished if history), default=now_ms())


def as_recorded(ending: Ending) -> Ending:
    """Return an ending with texts that any database can keep."""
    texts = {name: recordable(getattr(ending, name)) for name in ("reason", "traceback", "output")}
    return replace(ending, **texts)


def condition_tag(sweep: Sweep, condition: Mapping[str, Any]) -> dict[str, str]:
    """Return a condition as a tag, if its params are ambiguous.

    A foreign project logs them in its own spelling; and `[1]` and "[1]" are one text.
    """
    is_needed = sweep.is_foreign or any(isinstance(one, Choice) and one.is_ambiguous for one in sweep.space.values())
    return {tags.CONDITION: json.dumps(dict(condition))} if is_needed else {}


def as_params(values: Mapping[str, Any]) -> dict[str, str]:
    """Return a condition as the params of its run."""
    return {key: str(value) for key, value in values.items()}
