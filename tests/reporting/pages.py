"""Analyses made by hand for tests of tables, text and pages: every number is the caller's, or simple arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rothamsted.analysis.values import (
    AgainstBest,
    Analysis,
    Best,
    Better,
    ComparisonRow,
    Comparisons,
    Condition,
    ConditionSummary,
    Confirmed,
    Dataset,
    Detectable,
    EffectRow,
    Factor,
    FactorEffects,
    LevelMean,
    Luck,
    Objective,
    Promotion,
    Replicate,
)
from rothamsted.statistics import Interval, mean_interval

NAN = math.nan
ATTACK = "<script>alert(1)</script>"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="300pt" viewBox="0 0 300 100"><text x="9" y="50">drawn</text></svg>'
)


def interval(
    estimate: float, low: float, high: float, n: int = 5, *, level: float = 0.95, method: str = "t"
) -> Interval:
    return Interval(estimate=estimate, low=low, high=high, level=level, n=n, method=method)


def replicate(condition: int, seed: int, objective: float, **changes: Any) -> Replicate:
    given: dict[str, Any] = {
        "run_id": f"run-{condition}-{seed}",
        "condition": condition,
        "seed": str(seed),
        "outcome": "finished" if math.isfinite(objective) else "failed",
        "objective": objective,
        "seconds": 2.0,
        "started_ms": 1_700_000_000_000 + 1000 * seed,
    }
    return Replicate(**{**given, **changes})


def summarized(condition: int, replicates: Sequence[Replicate]) -> ConditionSummary:
    """A summary by the textbook, from the replicates of one condition."""
    values = np.array([one.objective for one in replicates if math.isfinite(one.objective)])
    outcomes = [one.outcome for one in replicates]
    n = len(values)
    sd = float(values.std(ddof=1)) if n > 1 else NAN
    statistics = {
        "mean": float(values.mean()) if n else NAN,
        "sd": sd,
        "sem": sd / math.sqrt(n) if n > 1 else NAN,
        "median": float(np.median(values)) if n else NAN,
        "iqm": float(np.median(values)) if n else NAN,
        "min": float(values.min()) if n else NAN,
        "max": float(values.max()) if n else NAN,
    }
    return ConditionSummary(
        condition=condition,
        n=n,
        counts={outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)},
        statistics=statistics,
        interval=mean_interval(values),
        is_constant=n > 1 and sd == 0,
        note="one replicate: no interval" if n == 1 else "",
    )


def analysis(
    scores: Mapping[int, Sequence[float]],
    *,
    values: Mapping[int, Mapping[str, Any]] | None = None,
    factors: Sequence[Factor] = (),
    name: str = "made-by-hand",
    replicates: Sequence[Replicate] | None = None,
    **changes: Any,
) -> Analysis:
    """An analysis of conditions with the given scores; NaN is a replicate that failed.

    Only summaries and the ranking are made; comparisons, effects and the rest are the caller's `changes`.
    """
    settings = values or {number: {"lr": 0.1 * (number + 1)} for number in scores}
    levels = tuple(dict.fromkeys(one["lr"] for one in settings.values() if "lr" in one))
    conditions = tuple(
        Condition(
            number=number,
            values=one,
            label=", ".join(
                f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in one.items()
            ),
            run_id=f"trial-{number}",
        )
        for number, one in settings.items()
    )
    made = replicates or [
        replicate(number, seed, score, reason="" if math.isfinite(score) else "RuntimeError: out of memory")
        for number, row in scores.items()
        for seed, score in enumerate(row)
    ]
    summaries = tuple(summarized(number, [one for one in made if one.condition == number]) for number in scores)
    ranked = [one for one in summaries if one.n and not one.counts.get("diverged")]
    dataset = Dataset(
        name=name,
        kind="sweep",
        objective=Objective(metric="val_loss", direction="minimize", reduce="best"),
        factors=tuple(factors) or (Factor(name="lr", levels=levels, is_numeric=True, is_log=True),),
        conditions=conditions,
        replicates=tuple(made),
    )
    given: dict[str, Any] = {
        "dataset": dataset,
        "level": 0.95,
        "interval": "t",
        "objective": summaries,
        "metrics": {},
        "ranking": tuple(one.condition for one in sorted(ranked, key=lambda one: one.statistics["mean"])),
        "best": None,
        "comparisons": None,
        "effects": None,
        "confirmed": (),
        "detectable": None,
        "bands": {},
        "gaps": {},
        "marks": (),
    }
    return Analysis(**{**given, **changes})


def with_dataset(made: Analysis, **changes: Any) -> Analysis:
    return replace(made, dataset=replace(made.dataset, **changes))


def with_metrics(made: Analysis, means: Mapping[str, Mapping[int, float]]) -> Analysis:
    """Add final values of other metrics: their means, each of two replicates without spread."""
    found = {
        metric: tuple(
            summarized(number, [replicate(number, seed, mean) for seed in range(2)]) for number, mean in row.items()
        )
        for metric, row in means.items()
    }
    return replace(made, metrics=found)


def comparison(condition: int, reference: int, difference: float, **changes: Any) -> ComparisonRow:
    given: dict[str, Any] = {
        "condition": condition,
        "reference": reference,
        "n": 3,
        "difference": difference,
        "low": difference - 0.01,
        "high": difference + 0.01,
        "p_value": 0.01,
        "p_corrected": 0.02,
        "effect": 1.5,
        "effect_low": 0.2,
        "effect_high": 2.8,
        "probability_better": 0.0,
        "is_different": True,
        "better": Better(n_better=0, n_compared=3, low=0.0, high=0.5615, level=0.95, is_paired=True),
    }
    return ComparisonRow(**{**given, **changes})


def best_set(winner: int, *others: int, worse: Iterable[int] = (), **changes: Any) -> Best:
    """The winner, others that can be the best and are open, and conditions that are worse."""
    verdicts = {number: against_best(-0.1 if number == winner else 0.1) for number in (winner, *others)}
    verdicts |= {number: against_best(0.5, verdict="worse", is_in_set=False, p=0.001, low=0.2) for number in worse}
    given: dict[str, Any] = {"method": "leaders", "level": 0.95, "smallest_difference": None}
    return Best(winner=winner, verdicts=verdicts, **{**given, **changes})


def against_best(difference: float, **changes: Any) -> AgainstBest:
    given: dict[str, Any] = {
        "n": 3,
        "mean": 0.4,
        "p": 0.3,
        "is_in_set": True,
        "verdict": "open",
        "difference": difference,
        "low": min(difference, 0.0) - 0.1,
        "high": max(difference, 0.0) + 0.1,
    }
    return AgainstBest(**{**given, **changes})


def family(reference: int, *rows: ComparisonRow) -> Comparisons:
    return Comparisons(reference=reference, test="paired t", correction="holm", level=0.95, rows=rows)


def confirmed(condition: int, search: Interval | None, fresh: Interval | None) -> Confirmed:
    """A confirmation, its luck with an interval as wide as the two intervals make it: the root of their squares."""
    estimate, half = NAN, NAN
    if search and fresh:
        estimate = fresh.estimate - search.estimate  # minimizing: a lower search is a hopeful one
        half = math.hypot((search.high - search.low) / 2, (fresh.high - fresh.low) / 2)
    n_search, n_confirmed = (one.n if one else 0 for one in (search, fresh))
    luck = lucky(estimate, estimate - half, estimate + half, n_search=n_search, n_confirmed=n_confirmed)
    return Confirmed(condition=condition, search=search, confirmed=fresh, luck=luck)


def lucky(estimate: float, low: float = NAN, high: float = NAN, *, n_search: int = 3, n_confirmed: int = 10) -> Luck:
    return Luck(
        estimate=estimate,
        low=low,
        high=high,
        level=0.95,
        n_search=n_search,
        n_confirmed=n_confirmed,
        method="Welch",
    )


def promotion(**changes: Any) -> Promotion:
    """A verdict: version 2 is promoted against version 1."""
    given: dict[str, Any] = {
        "model": "toy",
        "version": "2",
        "number": 1,
        "decision": "promoted",
        "reasons": ("Promoted: the replicates show it.", "One pair was left out."),
        "at_ms": 1_700_000_000_000,  # 2023-11-14 22:13:20 UTC
        "challenger": "lr=0.3",
        "champion_version": "1",
        "champion": "lr=0.5",
        "metric": "val_loss",
        "difference": interval(-0.2, -0.21, -0.19, level=0.9, method="paired_t"),
        "p_value": 0.0123,
        "test": "paired t",
        "level": 0.95,
        "smallest_improvement": 0.005,
        "margin": None,
        "n": 5,
        "is_paired": True,
        "seeds": (105, 106, 107, 108, 109),
        "constraints": (("val_accuracy > 0.8", True, "mean 0.9 (n = 5)"),),
        "data_digest": "da7a" * 16,
        "policy_file": "registry/toy.yaml",
    }
    return Promotion(**{**given, **changes})


def effects() -> FactorEffects:
    return FactorEffects(
        rows=(
            EffectRow(source="lr", df=4, sum_squares=0.8123, f=123.4, p_value=1e-9, omega_squared=0.83, share=0.81),
            EffectRow(source="width", df=2, sum_squares=0.02, f=0.9, p_value=0.41, omega_squared=-0.01, share=0.02),
            EffectRow(
                source="lr x width",
                df=8,
                sum_squares=0.07,
                f=3.1,
                p_value=0.004,
                omega_squared=0.12,
                share=0.07,
                kind="interaction",
            ),
            EffectRow(
                source="seed", df=2, sum_squares=0.01, f=0.8, p_value=0.46, omega_squared=0.0, share=0.01, kind="block"
            ),
            EffectRow(
                source="residual",
                df=28,
                sum_squares=0.09,
                f=NAN,
                p_value=NAN,
                omega_squared=NAN,
                share=0.09,
                kind="residual",
            ),
        ),
        means=(
            LevelMean(factor="lr", level=0.1, n=9, mean=0.42, low=0.40, high=0.44),
            LevelMean(factor="lr", level=0.2, n=9, mean=0.31, low=0.29, high=0.33),
            LevelMean(factor="width", level="wide", n=15, mean=0.36, low=0.34, high=0.38),
        ),
        variance_shares={"lr": 0.81, "interaction": 0.07, "seed": 0.004, "residual": 0.116},
        method="analysis of variance, Type II, seed as block",
    )


def detectable() -> Detectable:
    return Detectable(n=3, sd=0.0123, power=0.8, level=0.95, difference=0.0456, method="paired t")
