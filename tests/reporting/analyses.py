"""Analyses made by hand from factor values and scores, for tests of plots.

Apart, because plots must be tested without a store and without the code that computes analyses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from scipy import stats

from rothamsted.analysis.values import (
    Analysis,
    Band,
    Best,
    ComparisonRow,
    Comparisons,
    Condition,
    ConditionSummary,
    Confirmed,
    Dataset,
    Factor,
    Objective,
    Replicate,
    Series,
)
from rothamsted.statistics import mean_interval, summarize
from tests.reporting.pages import best_set

LEVEL = 0.95
STEPS = np.arange(0, 1001, 50)


def analysis_of(
    values: Sequence[Mapping[str, Any]],
    scores: Sequence[Sequence[float]],
    *,
    metrics: Mapping[str, Sequence[Sequence[float]]] | None = None,
    with_curves: bool = False,
    with_comparisons: bool = True,
    direction: Literal["minimize", "maximize"] = "minimize",
    log: Iterable[str] = ("learning_rate",),
    confirmed: tuple[Confirmed, ...] = (),
    gaps: Mapping[str, str] | None = None,
    pruned: Mapping[int, str] | None = None,
) -> Analysis:
    """An analysis of conditions with these factor values and these scores, one row a condition.

    A score of infinity is a replicate that diverged, NaN one that failed; of a condition that was pruned, all were.
    """
    metrics = metrics or {}
    pruned = pruned or {}
    summaries = tuple(_pruned(i, row) if i in pruned else summary_of(i, row) for i, row in enumerate(scores))
    ranking = _ranking(summaries, direction)
    comparisons = _comparisons(ranking, scores) if with_comparisons and len(ranking) > 1 else None
    return Analysis(
        dataset=_with_pruned(_dataset(values, scores, metrics, direction, set(log)), pruned),
        level=LEVEL,
        interval="t",
        objective=summaries,
        metrics={name: tuple(summary_of(i, row) for i, row in enumerate(rows)) for name, rows in metrics.items()},
        ranking=ranking,
        best=_best(ranking, comparisons),
        comparisons=comparisons,
        effects=None,
        confirmed=confirmed,
        detectable=None,
        bands=_bands(values, scores) if with_curves else {},
        gaps=gaps or {},
        marks=(),
    )


def _pruned(condition: int, row: Sequence[float]) -> ConditionSummary:
    return replace(summary_of(condition, [math.nan] * len(row)), counts={"pruned": len(row)})


def _with_pruned(dataset: Dataset, pruned: Mapping[int, str]) -> Dataset:
    """The dataset with some conditions as a pruner leaves them: every replicate stopped at step 50."""
    steps, nan = np.array([25, 50]), np.full(2, math.nan)
    series = {"val_loss": Series(steps=steps, values=np.array([9.0, 8.0]), seconds=nan, epochs=nan)}
    return replace(
        dataset,
        conditions=tuple(replace(c, pruned=pruned.get(c.number, "")) for c in dataset.conditions),
        replicates=tuple(
            replace(r, outcome="pruned", objective=math.nan, reason=pruned[r.condition], series=series)
            if r.condition in pruned
            else r
            for r in dataset.replicates
        ),
    )


def _dataset(
    values: Sequence[Mapping[str, Any]],
    scores: Sequence[Sequence[float]],
    metrics: Mapping[str, Sequence[Sequence[float]]],
    direction: Literal["minimize", "maximize"],
    log: set[str],
) -> Dataset:
    conditions = tuple(
        Condition(number=i, values=dict(v), label=", ".join(f"{k}={_text(x)}" for k, x in v.items()))
        for i, v in enumerate(values)
    )
    replicates = tuple(
        _replicate(i, seed, score, {name: rows[i][seed] for name, rows in metrics.items()})
        for i, row in enumerate(scores)
        for seed, score in enumerate(row)
    )
    return Dataset(
        name="hand-made",
        kind="sweep",
        objective=Objective(metric="val_loss", direction=direction),
        factors=_factors(values, log),
        conditions=conditions,
        replicates=replicates,
    )


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _replicate(condition: int, seed: int, score: float, metrics: Mapping[str, float]) -> Replicate:
    outcome = "finished" if math.isfinite(score) else ("failed" if math.isnan(score) else "diverged")
    return Replicate(
        run_id=f"{condition:04d}{seed:04d}",
        condition=condition,
        seed=str(seed),
        outcome=outcome,
        objective=score if math.isfinite(score) else math.nan,
        seconds=10.0 + condition + 0.1 * seed,
        metrics=metrics,
    )


def summary_of(condition: int, row: Sequence[float]) -> ConditionSummary:
    """Mean, interval and counts of one row of scores."""
    array = np.asarray(row, dtype=float)
    finite = array[np.isfinite(array)]
    counts = {
        "finished": len(finite),
        "failed": int(np.isnan(array).sum()),
        "diverged": int(np.isinf(array).sum()),
    }
    known = {key: float(column[0]) for key, column in summarize(array[:, None], LEVEL).items()}
    return ConditionSummary(
        condition=condition,
        n=len(finite),
        counts={name: n for name, n in counts.items() if n},
        statistics=known,
        interval=mean_interval(finite, level=LEVEL),
        is_constant=False,
    )


def _ranking(summaries: Sequence[ConditionSummary], direction: str) -> tuple[int, ...]:
    sign = 1 if direction == "minimize" else -1
    kept = [s for s in summaries if s.n and not s.counts.get("diverged")]
    return tuple(s.condition for s in sorted(kept, key=lambda s: sign * s.statistics["mean"]))


def _factors(values: Sequence[Mapping[str, Any]], log: set[str]) -> tuple[Factor, ...]:
    factors = []
    for name in dict.fromkeys(key for v in values for key in v):
        levels = list(dict.fromkeys(v[name] for v in values if name in v))
        is_numeric = all(isinstance(level, int | float) for level in levels) and not isinstance(levels[0], bool)
        if is_numeric:
            levels.sort()
        if len(levels) > 1:
            factors.append(Factor(name=name, levels=tuple(levels), is_numeric=is_numeric, is_log=name in log))
    return tuple(factors)


def _comparisons(ranking: Sequence[int], scores: Sequence[Sequence[float]]) -> Comparisons:
    """Paired t tests with the best, Bonferroni-corrected: plain, so that a test can follow it."""
    best, rows = ranking[0], []
    for number in ranking[1:]:
        pairs = np.array(scores[number], dtype=float) - np.array(scores[best], dtype=float)
        pairs = pairs[np.isfinite(pairs)]
        interval = mean_interval(pairs, level=LEVEL)
        low, high = (interval.low, interval.high) if interval else (math.nan, math.nan)
        p = _p_value(pairs)
        corrected = min(1.0, p * (len(ranking) - 1))
        rows.append(comparison(number, best, float(pairs.mean()), low, high, corrected))
    return Comparisons(reference=best, test="paired t", correction="bonferroni", level=LEVEL, rows=tuple(rows))


def _p_value(pairs: np.ndarray) -> float:
    """Two-sided p of a t test that the mean of these differences is 0."""
    n = len(pairs)
    with np.errstate(divide="ignore", invalid="ignore"):  # equal differences: t is infinite, p is 0
        t = pairs.mean() / pairs.std(ddof=1) * math.sqrt(n) if n > 1 else math.nan
    return float(2 * stats.t.sf(abs(t), n - 1))


def comparison(condition: int, reference: int, difference: float, low: float, high: float, p: float) -> ComparisonRow:
    """One row of comparisons, with effect sizes left out."""
    return ComparisonRow(
        condition=condition,
        reference=reference,
        n=5,
        difference=difference,
        low=low,
        high=high,
        p_value=p,
        p_corrected=p,
        effect=math.nan,
        effect_low=math.nan,
        effect_high=math.nan,
        probability_better=math.nan,
        is_different=p < 1 - LEVEL,
    )


def _best(ranking: Sequence[int], comparisons: Comparisons | None) -> Best | None:
    if comparisons is None:
        return None
    rows = {row.condition: row for row in comparisons.rows}
    worse = [number for number in ranking[1:] if number in rows and rows[number].is_different]
    others = [number for number in ranking[1:] if number not in worse]
    return best_set(ranking[0], *others, worse=worse, level=LEVEL)


def _bands(values: Sequence[Mapping[str, Any]], scores: Sequence[Sequence[float]]) -> Any:
    """Curves that fall from 4 to each score, and a cosine schedule from each rate."""
    loss, rate = {"step": [], "seconds": []}, {"step": []}
    for i, row in enumerate(scores):
        finite = [score for score in row if math.isfinite(score)]
        if not finite:
            continue
        rng = np.random.default_rng(i)
        curves = np.array([s + (4 - s) * np.exp(-STEPS / 150) for s in finite])
        curves += 0.02 * rng.standard_normal(curves.shape)
        loss["step"].append(band(i, STEPS, curves))
        loss["seconds"].append(band(i, STEPS * (0.2 + 0.01 * i), curves))
        cosine = float(values[i].get("learning_rate", 0.1)) * (0.51 + 0.49 * np.cos(np.pi * STEPS / 1000))
        rate["step"].append(band(i, STEPS, np.tile(cosine, (len(finite), 1))))
    return {
        "val_loss": {axis: tuple(found) for axis, found in loss.items()},
        "learning_rate": {axis: tuple(found) for axis, found in rate.items()},
    }


def band(condition: int, x: np.ndarray, curves: np.ndarray) -> Band:
    """Mean and t interval of curves (replicate, point) at each x."""
    known = summarize(curves, LEVEL)
    return Band(
        condition=condition,
        x=np.asarray(x, dtype=float),
        mean=known["mean"],
        low=known["ci_low"],
        high=known["ci_high"],
        n=known["n"],
    )
