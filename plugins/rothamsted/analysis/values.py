"""Define the input and the results of an analysis as frozen values, shared by loading, statistics, tables and plots."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from rothamsted.analysis.task_values import Tasks
from rothamsted.metric import TEST_PREFIX
from rothamsted.metric import Metric as Metric
from rothamsted.spec import Objective, Statistics, Task
from rothamsted.statistics import AgainstBest as AgainstBest
from rothamsted.statistics import EffectRow as EffectRow
from rothamsted.statistics import FactorEffects, Interval
from rothamsted.statistics import LevelMean as LevelMean
from rothamsted.statistics.centres import words_of
from rothamsted.statistics.sources import SourceShares

Axis = Literal["step", "epoch", "samples", "seconds"]
Phase = Literal["search", "confirm"]


@dataclass(frozen=True, kw_only=True)
class Series:
    """Holds one metric of one replicate along its training, in the order of steps."""

    steps: np.ndarray  # (point,) int64, rising
    values: np.ndarray  # (point,) float64; NaN and infinity as they were logged
    seconds: np.ndarray  # (point,) training seconds; NaN where unknown
    epochs: np.ndarray  # (point,) NaN where unknown
    samples: np.ndarray | None = None  # (point,) samples seen, NaN where unknown; None: nobody asked for them


@dataclass(frozen=True, kw_only=True)
class Replicate:
    """Holds one training run of one condition."""

    run_id: str
    condition: int  # number of its condition
    seed: str  # what pairs it with replicates of other conditions; empty where nothing tells
    outcome: str  # finished, diverged, failed, interrupted, pruned, running
    objective: float  # NaN without a score
    seconds: float  # wall-clock seconds of its run; NaN while it runs
    phase: Phase = "search"
    reason: str = ""  # one line, for one without a score
    others: tuple[float, ...] = ()  # of the further objectives; empty without a score
    stopped_early: str = ""  # why, where it did not improve any more: its score counts, its curve is shorter
    metrics: Mapping[str, float] = field(default_factory=dict)  # the latest value of each; none from the search
    tested: Mapping[str, float] = field(default_factory=dict)  # test metrics of its model, as the search was told
    last: Mapping[str, float] = field(default_factory=dict)  # what constraints look at, as the search was told
    series: Mapping[str, Series] = field(default_factory=dict)  # only of the metrics that were read with curves
    started_ms: int = 0  # milliseconds since 1970; 0: unknown
    ended_ms: int = 0  # milliseconds since 1970; 0: it runs, or is unknown. From the search: when its trial was told
    number: int = 0  # 0, 1, ... within its condition and phase; 0 where nothing tells
    attempt: int = 1  # 1, 2, ...: grows with each retry
    model: str = ""  # URI of its model; empty: none was logged
    model_problem: str = ""  # one line, where its model could not be logged
    varied: Mapping[str, int] = field(default_factory=dict)  # parameters that it sets, and to what

    @property
    def has_score(self) -> bool:
        """Say whether it has a number for the objective."""
        return not math.isnan(self.objective)

    @property
    def test_metrics(self) -> dict[str, float]:
        """Give the metrics of its model on test rows, those below test/."""
        return {name: value for name, value in self.metrics.items() if name.startswith(TEST_PREFIX)} | dict(self.tested)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Holds one assignment of all factors, without the seed."""

    number: int  # trial number of a sweep; order of first appearance elsewhere
    values: Mapping[str, Any]  # factor -> value; a factor that does not apply here is absent
    label: str  # "learning_rate=0.1, width=64"
    name: str = ""  # what a contest calls it: champion, challenger; empty elsewhere
    run_id: str = ""  # run of the trial; empty where there is none
    confirm_run_id: str = ""  # run of its confirmation, above its replicates on fresh seeds; empty without
    race: str = ""  # how it left a race: "dropped after 5", "survived"; empty without one
    dropped_after: int = 0  # replicates after which a race gave it up; 0: never
    pruned: str = ""  # why it was pruned: censored, in no interval and no ranking; empty: it was not
    violations: tuple[tuple[str, float], ...] = ()  # constraint -> how far its means are from keeping it; <= 0: kept

    @property
    def broken(self) -> tuple[tuple[str, float], ...]:
        """Give the constraints that it breaks. A condition that breaks one is not ranked."""
        return tuple((text, amount) for text, amount in self.violations if not amount <= 0)


@dataclass(frozen=True, kw_only=True)
class Factor:
    """Describes one parameter that differs between conditions."""

    name: str
    levels: tuple[Any, ...]  # distinct values: numbers in rising order, others as they first appear
    is_numeric: bool
    is_log: bool  # searched, or spread, over orders of magnitude: drawn on a log axis


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """Holds a recorded verdict: what a policy decided about one of a sweep's confirmed conditions, and why."""

    model: str  # registered model
    version: str  # of the challenger
    number: int  # of the verdict on this version: 1, 2, ...
    decision: str  # promoted, kept, undecided
    reasons: tuple[str, ...]  # sentences; the first says it all
    at_ms: int  # milliseconds since 1970
    challenger: str  # its condition, in a line
    champion_version: str  # that it was compared with; empty where there was none
    champion: str  # its condition, in a line
    metric: str
    difference: Interval | None  # challenger minus champion
    p_value: float  # one-sided; NaN where nothing was tested
    test: str  # its label; empty where nothing was tested
    level: float
    smallest_improvement: float  # of superiority
    margin: float | None  # of non-inferiority, which has no smallest improvement
    n: int  # pairs, or the smaller group
    is_paired: bool  # both ran on common fresh seeds
    seeds: tuple[int, ...]  # the common ones; empty where recorded replicates were compared
    constraints: tuple[tuple[str, bool, str], ...]  # text, whether it is met, what the evidence says
    data_digest: str  # of the challenger's data; empty where the study has none
    policy_file: str  # relative to the project's root; empty where it is not on record


@dataclass(frozen=True, kw_only=True)
class SearchScores:
    """Holds the scores of the conditions of one search, in the order in which they were tried."""

    name: str
    scores: tuple[float, ...]  # the mean of each; NaN for one that has none
    why_not: str = ""  # why k of them say nothing about a search of k conditions; empty: they were drawn at random


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Holds replicates of conditions, as they were found in the search or in a tracking store."""

    name: str
    kind: Literal["sweep", "contest", "runs"]  # a sweep of ours, given conditions, any runs grouped by parameters
    objective: Objective
    factors: tuple[Factor, ...]
    conditions: tuple[Condition, ...]  # by number
    replicates: tuple[Replicate, ...]  # by condition, then seed in its order
    question: str = ""  # the sweep file's opening comment
    run_id: str = ""  # the sweep's run, or the summary run
    experiment_id: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)  # parameters that are the same in every condition
    design: Mapping[str, str] = field(default_factory=dict)  # sampler, seeds, fixed parameters: shown as they are
    provenance: Mapping[str, str] = field(default_factory=dict)  # commit, data digest, versions, host
    how_to_reproduce: tuple[str, ...] = ()  # command lines
    is_complete: bool = True
    marks: tuple[str, ...] = ()  # what a reader has to know before any number: "still running: 12 of 60 ..."
    promotions: tuple[Promotion, ...] = ()  # the newest verdict first
    others: tuple[Objective, ...] = ()  # further objectives: those of `Replicate.others`
    statistics: Statistics = field(default_factory=Statistics)  # how the sweep's file wants it analysed
    metrics: Mapping[str, Metric] = field(default_factory=dict)  # what is declared of them, see `metric.declared`
    looked_by: tuple[str, ...] = ()  # what in the search looked at results: a sampler's name, or one of LOOKS
    unconfirmed: frozenset[int] = frozenset()  # conditions that have begun, not ended, on fresh seeds: not yet shown
    varied: tuple[str, ...] = ()  # parameters that change from replicate to replicate; empty where nothing tells
    crossed: Mapping[str, int] = field(default_factory=dict)  # the same, with numbers each, where all are combined
    n_repeated: int = 0  # trials that were trained although their condition was there: counted with it, once
    sampler: str = ""  # what proposed the conditions; empty: not known
    searches: tuple[SearchScores, ...] = ()  # of a comparison: those of the sweeps that are compared
    task: Task | None = None  # the factor over whose values conditions are compared; None: there is none
    started: str = ""  # how, where not by a command in the project: see `tags.STARTED`
    cells: Dataset | None = None  # the runs as they were made, where conditions are compared over tasks


@dataclass(frozen=True, kw_only=True)
class ConditionSummary:
    """Holds one metric of one condition over its replicates."""

    condition: int
    n: int  # replicates behind the statistics
    counts: Mapping[str, int]  # outcome -> replicates, and "excluded": finished without a finite value
    statistics: Mapping[str, float]  # mean, sd, sem, median, iqm, min, max, a quantile; NaN where undefined
    interval: Interval | None  # for `value`; None with too few values
    is_constant: bool  # more than one value, and no spread at all
    note: str = ""  # why there is no interval, or what is odd
    adjusted: float = math.nan  # mean adjusted for the seeds it lacks, by which it is ranked; NaN: it has no place
    n_missing: int = 0  # seeds it lacks; 0: the adjusted mean is the mean, bit for bit
    over: str = "mean"  # the number that sums up its values, as `objective.over`

    @property
    def value(self) -> float:
        """Give the number of the condition: the mean, or the number of `objective.over`; NaN without values."""
        return self.statistics.get(self.over, math.nan)


@dataclass(frozen=True, kw_only=True)
class Better:
    """Holds how often a replicate of a condition beat one of the reference, and the interval for that probability."""

    n_better: float  # ties count half
    n_compared: int  # pairs of one seed; else each replicate with each of the other
    low: float  # Wilson's interval for pairs, else Newcombe's method 5
    high: float
    level: float
    is_paired: bool


@dataclass(frozen=True, kw_only=True)
class ComparisonRow:
    """Holds the comparison of one condition with another. Differences are condition minus reference."""

    condition: int
    reference: int
    n: int  # pairs, or the smaller group
    difference: float
    low: float  # interval of the difference at the level, not corrected
    high: float
    p_value: float
    p_corrected: float
    effect: float  # Cohen's d; NaN where undefined
    effect_low: float
    effect_high: float
    probability_better: float  # that a replicate of the condition beats one of the reference; ties count half
    is_different: bool  # corrected p below 1 - level
    note: str = ""
    better: Better | None = None  # the counts behind `probability_better`


@dataclass(frozen=True, kw_only=True)
class Comparisons:
    """Holds a family of comparisons with one reference."""

    reference: int
    test: str  # paired t, Welch, Wilcoxon, permutation, Dunnett, Tukey
    correction: str  # holm, bonferroni, bh, or the procedure's own
    level: float
    rows: tuple[ComparisonRow, ...]
    why_unpaired: str = ""  # why seeds do not pair the replicates; empty where they do, and where rows say it


@dataclass(frozen=True, kw_only=True)
class Best:
    """Holds the verdicts on the best condition and on each other one."""

    winner: int  # condition with the best mean
    verdicts: Mapping[int, AgainstBest]  # ranked condition -> how much worse it is, in the set, its verdict
    method: str  # a name in BEST_METHODS
    level: float
    smallest_difference: float | None  # a loss that does not matter, in the objective's units
    warnings: tuple[str, ...] = ()
    more_seeds: Mapping[int, int | None] = field(
        default_factory=dict
    )  # open condition -> seeds a condition that decide

    @property
    def members(self) -> tuple[int, ...]:
        """Give the conditions that may be the best, best mean first. The winner is one of them."""
        return tuple(number for number, one in self.verdicts.items() if one.is_in_set)

    @property
    def others(self) -> tuple[int, ...]:
        """Give the members that did not win."""
        return tuple(number for number in self.members if number != self.winner)

    def having(self, verdict: str) -> tuple[int, ...]:
        """Return the conditions with this verdict, best mean first, without the winner."""
        return tuple(n for n, one in self.verdicts.items() if one.verdict == verdict and n != self.winner)


@dataclass(frozen=True, kw_only=True)
class ParetoSet:
    """Holds the conditions that no other beats in the means of all objectives, and how often resamples agree."""

    members: tuple[int, ...]  # in the order of the ranking
    frequency: Mapping[int, float]  # ranked condition -> share of resamples that had it in the set; empty: unknown
    whole: float  # share of resamples whose set was exactly this one; NaN where unknown
    n_resamples: int
    method: str  # empty where nothing was resampled


@dataclass(frozen=True, kw_only=True)
class Luck:
    """Holds by how much the search's mean was better than the mean on fresh seeds: the search chose it for its mean."""

    estimate: float  # positive where the search was too hopeful; NaN where a side has no value
    low: float  # NaN where a side has fewer than two values
    high: float
    level: float
    n_search: int
    n_confirmed: int
    method: str

    @property
    def has_interval(self) -> bool:
        """Say whether both sides had two values or more."""
        return self.low == self.low


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """Holds the search's estimate of a condition, and that of fresh seeds."""

    condition: int
    search: Interval | None
    confirmed: Interval | None  # None with fewer than two values, or where one diverged: then it has no mean
    luck: Luck
    summary: ConditionSummary | None = None  # of all its replicates on fresh seeds
    searched: ConditionSummary | None = None  # of all its replicates in the search
    tested: Mapping[str, ConditionSummary] = field(default_factory=dict)  # test metric -> over fresh seeds

    @property
    def mean(self) -> float | None:
        """Give its mean (or the number of `objective.over`) on fresh seeds; None without values, or if one diverged."""
        if self.confirmed is not None:
            return self.confirmed.estimate
        if self.summary is None or not self.summary.n or self.summary.counts.get("diverged"):
            return None
        return self.summary.value


@dataclass(frozen=True, kw_only=True)
class Detectable:
    """Holds the smallest difference between two conditions that this many replicates would have shown."""

    n: int
    sd: float  # of a replicate's objective within a condition (of paired differences where paired)
    power: float
    level: float
    difference: float
    method: str


@dataclass(frozen=True, kw_only=True)
class Band:
    """Holds one metric of one condition along an axis, over its replicates."""

    condition: int
    x: np.ndarray  # (point,)
    mean: np.ndarray  # (point,)
    low: np.ndarray  # (point,) NaN where fewer than two replicates are alive
    high: np.ndarray
    n: np.ndarray  # (point,) replicates alive


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """Holds everything that tables, plots and the report show. A "mean" is the number of `objective.over`."""

    dataset: Dataset
    level: float
    interval: str  # t, percentile, bca
    objective: tuple[ConditionSummary, ...]  # by condition
    metrics: Mapping[str, tuple[ConditionSummary, ...]]  # final value of every other metric
    ranking: tuple[int, ...]  # conditions with a mean, best first
    best: Best | None
    comparisons: Comparisons | None  # of all conditions with a reference that was named
    effects: FactorEffects | None
    confirmed: tuple[Confirmed, ...]
    detectable: Detectable | None
    bands: Mapping[str, Mapping[Axis, tuple[Band, ...]]]  # metric -> axis -> one a condition
    gaps: Mapping[str, str]  # part that is missing ("comparisons", "effects", ...) -> why
    marks: tuple[str, ...]  # warnings, the dataset's included
    tasks: Tasks | None = None  # conditions compared over tasks; None without a task, and in a quick analysis
    dependence: tuple[str, ...] = ()  # where trials depend on results: which statements still hold
    others: tuple[tuple[ConditionSummary, ...], ...] = ()  # of each further objective, by condition
    pareto: ParetoSet | None = None  # of all objectives together; None with one
    sources: SourceShares | None = None  # where the variance of a training comes from; None where nothing is crossed
    sources_of_differences: SourceShares | None = None  # the same of a difference between two conditions

    @property
    def over_words(self) -> str:
        """Give the name of a condition's number: "mean", "median", "interquartile mean", "0.1 quantile"."""
        return words_of(self.dataset.objective.over)
