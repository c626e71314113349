"""List every sampler, pruner, executor, interval, correction, comparison, promotion rule and plot, a row for each.

A row is plain data: facts, and in `make` the function as "module:name", which is imported when it is needed. So a sweep
file can be refused without importing Optuna. `rows` says what each function gets and returns; CONTRIBUTING.md has an
example of each kind. Other packages add rows by entry points, see `registries`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rothamsted.registries import Registry
from rothamsted.rows import CorrectionRow, IntervalRow, Option, PrunerRow, RuleRow, SamplerRow, TwoSampleRow

_DESIGNS, _SAMPLERS, _PRUNERS = (f"rothamsted.search.{name}" for name in ("designs", "samplers", "pruners"))

SAMPLERS: Registry[SamplerRow] = Registry(
    "sampler",
    {
        "grid": SamplerRow(make=f"{_DESIGNS}:grid", needs_finite_space=True),
        "exhaustive": SamplerRow(make=f"{_DESIGNS}:exhaustive", needs_finite_space=True),
        "random": SamplerRow(make=f"{_DESIGNS}:random"),
        "qmc": SamplerRow(make=f"{_DESIGNS}:quasi_random"),
        "tpe": SamplerRow(make=f"{_SAMPLERS}:tpe", adaptive=True),
        "gp": SamplerRow(make=f"{_SAMPLERS}:gp", adaptive=True, conditional=False),
        "cmaes": SamplerRow(
            make=f"{_SAMPLERS}:cmaes",
            adaptive=True,
            conditional=False,
            categorical=False,
            several_objectives=False,
            constraints=False,
            keeps_state=True,  # its mean and covariance, in trials' system attributes
            min_parameters=2,
            min_known=10,  # the best tenth of what is known, at least one, gives the first mean
        ),
        # A genetic algorithm breeds from generations alone: what is known belongs to the first.
        "nsgaii": SamplerRow(
            make=f"{_SAMPLERS}:nsgaii",
            adaptive=True,
            conditional=False,
            keeps_state=True,  # the parents of each generation
            known_attributes={"NSGAIISampler:generation": 0},
        ),
        "nsgaiii": SamplerRow(
            make=f"{_SAMPLERS}:nsgaiii",
            adaptive=True,
            conditional=False,
            keeps_state=True,  # the parents of each generation
            known_attributes={"NSGAIIISampler:generation": 0},
        ),
    },
    row=SamplerRow,
)

_WARMUP: Mapping[str, Option] = {
    "warmup_steps": Option(kind="int", default=0, low=0, in_epochs=True),
    "interval_steps": Option(kind="int", default=1, low=1, in_epochs=True),
}
_AGAINST_OTHERS: Mapping[str, Option] = {
    "startup_trials": Option(kind="int", default=5, low=0),
    **_WARMUP,
    "min_trials": Option(kind="int", default=1, low=1),
}

PRUNERS: Registry[PrunerRow] = Registry(
    "pruner",
    {
        "median": PrunerRow(make=f"{_PRUNERS}:median", options=_AGAINST_OTHERS),
        "percentile": PrunerRow(
            make=f"{_PRUNERS}:percentile_of_others",
            options={"percentile": Option(kind="float", default=25.0, low=0, high=100), **_AGAINST_OTHERS},
        ),
        "asha": PrunerRow(
            make=f"{_PRUNERS}:asha",
            options={
                "min_resource": Option(kind="int", default=1, low=1, in_epochs=True),
                "reduction_factor": Option(kind="int", default=4, low=2, high=1_000),
                "min_early_stopping_rate": Option(kind="int", default=0, low=0, high=40),  # an exponent of the factor
            },
        ),
        "hyperband": PrunerRow(
            make=f"{_PRUNERS}:hyperband",
            options={
                "min_resource": Option(kind="int", default=1, low=1, in_epochs=True),
                "max_resource": Option(kind="int", is_required=True, low=1, in_epochs=True),
                "reduction_factor": Option(kind="int", default=3, low=2, high=1_000),
            },
        ),
        "threshold": PrunerRow(
            make=f"{_PRUNERS}:threshold",
            options={"lower": Option(kind="float"), "upper": Option(kind="float"), **_WARMUP},
            needs_one_of=("lower", "upper"),
        ),
        "patient": PrunerRow(
            make=f"{_PRUNERS}:patient",
            options={
                "patience": Option(kind="int", is_required=True, low=0),
                "min_delta": Option(kind="float", default=0.0, low=0),
                "wrapped": Option(kind="pruner"),
            },
        ),
        "wilcoxon": PrunerRow(
            make=f"{_PRUNERS}:wilcoxon",
            over="replicates",
            options={
                "p_threshold": Option(kind="float", default=0.1, low=0, high=1),
                "startup_steps": Option(kind="int", default=2, low=0),
            },
        ),
    },
    row=PrunerRow,
)

# An executor is a class, or a function: called without arguments it returns an `executors.Executor`.
EXECUTORS: Registry[Any] = Registry(
    "executor",
    {
        "local": "rothamsted.executors.local:LocalExecutor",
        "in_process": "rothamsted.executors.in_process:InProcessExecutor",
        "ray": "rothamsted.executors.ray_crew:RayExecutor",
    },
)

_STATISTICS = "rothamsted.statistics"

INTERVALS: Registry[IntervalRow] = Registry(
    "interval",
    {
        "t": IntervalRow(make=f"{_STATISTICS}.intervals:t_bounds", takes_metric=True),
        "percentile": IntervalRow(make=f"{_STATISTICS}.bootstrap:percentile_bounds", is_resampled=True),
        "bca": IntervalRow(make=f"{_STATISTICS}.bootstrap:bca_bounds", is_resampled=True),
        "wilson": IntervalRow(make=f"{_STATISTICS}.shares:wilson_bounds", takes_metric=True, is_of_rows=True),
    },
    row=IntervalRow,
)

CORRECTIONS: Registry[CorrectionRow] = Registry(
    "correction",
    {
        "holm": CorrectionRow(make=f"{_STATISTICS}.corrections:holm", label="Holm", is_family_wise=True),
        "bonferroni": CorrectionRow(
            make=f"{_STATISTICS}.corrections:bonferroni", label="Bonferroni", is_family_wise=True
        ),
        "bh": CorrectionRow(
            make=f"{_STATISTICS}.corrections:bh",
            label="Benjamini-Hochberg",
        ),
        "none": CorrectionRow(make=f"{_STATISTICS}.corrections:none", label="none"),
        "dunnett": CorrectionRow(
            make=f"{_STATISTICS}.families:dunnett_of_first",
            label="Dunnett's",
            is_family_wise=True,
            is_joint=True,
        ),
        "tukey": CorrectionRow(
            make=f"{_STATISTICS}.families:tukey_of_first",
            label="Tukey's",
            is_family_wise=True,
            is_joint=True,
        ),
    },
    row=CorrectionRow,
    from_function=lambda name, make: CorrectionRow(make=make, label=name),
)

TESTS: Registry[TwoSampleRow] = Registry(
    "comparison",
    {
        "paired_t": TwoSampleRow(
            make=f"{_STATISTICS}.compare:paired_t", label="paired t", is_paired=True, twin="welch"
        ),
        "welch": TwoSampleRow(make=f"{_STATISTICS}.compare:welch", label="Welch"),
        "wilcoxon": TwoSampleRow(make=f"{_STATISTICS}.compare:wilcoxon", label="Wilcoxon signed rank", is_paired=True),
        "paired_permutation": TwoSampleRow(
            make=f"{_STATISTICS}.compare:paired_permutation",
            label="paired permutation",
            is_paired=True,
            twin="permutation",
        ),
        "permutation": TwoSampleRow(
            make=f"{_STATISTICS}.compare:permutation", label="permutation", twin="paired_permutation"
        ),
        "guarded_t": TwoSampleRow(
            make=f"{_STATISTICS}.guarded:guarded_t", label="guarded paired t", is_paired=True, twin="guarded_welch"
        ),
        "guarded_welch": TwoSampleRow(make=f"{_STATISTICS}.guarded:guarded_welch", label="guarded Welch"),
    },
    row=TwoSampleRow,
    from_function=lambda name, make: TwoSampleRow(make=make, label=name),
)

_RULES = "rothamsted.promotion.judge.rules"

RULES: Registry[RuleRow] = Registry(
    "rule",
    {
        "superiority": RuleRow(make=f"{_RULES}:superiority"),
        "non_inferiority": RuleRow(make=f"{_RULES}:non_inferiority", takes="margin"),
    },
    row=RuleRow,
)

_PLOTS = "rothamsted.reporting.plots"

# In the order of a report. A plot is a value of `report.plots.Plot`; a bare function draws an analysis.
PLOTS: Registry[Any] = Registry(
    "plot",
    {
        "outcomes": f"{_PLOTS}.outcomes:PLOT",
        "trends": f"{_PLOTS}.trends:PLOT",
        "trends_across": f"{_PLOTS}.trends:ACROSS",
        "heatmap": f"{_PLOTS}.heatmap:PLOT",
        "forest": f"{_PLOTS}.forest:PLOT",
        "differences": f"{_PLOTS}.differences:PLOT",
        "curves": f"{_PLOTS}.curves:BY_STEP",
        "curves_by_time": f"{_PLOTS}.curves:BY_SECONDS",
        "schedule": f"{_PLOTS}.schedule:PLOT",
        "sensitivity": f"{_PLOTS}.sensitivity:PLOT",
        "scatter": f"{_PLOTS}.scatter:PLOT",
        "importance": f"{_PLOTS}.importance:PLOT",
        "parallel": f"{_PLOTS}.parallel:PLOT",
        "history": f"{_PLOTS}.history:PLOT",
        "pareto": f"{_PLOTS}.pareto:PLOT",
        "task_profiles": f"{_PLOTS}.task_profiles:PLOT",
        "critical_difference": f"{_PLOTS}.critical_difference:PLOT",
        "improvement": f"{_PLOTS}.improvement:PLOT",
        "expected_best": f"{_PLOTS}.expected_best:PLOT",
    },
    row=f"{_PLOTS}.contract:Plot",
    from_function=f"{_PLOTS}.contract:of_function",
)

FIGURE_FORMATS = ("png", "svg", "pdf")

# By kind, as `--help` and CONTRIBUTING.md go through them.
REGISTRIES: Mapping[str, Registry[Any]] = {
    one.kind: one for one in (SAMPLERS, PRUNERS, EXECUTORS, INTERVALS, CORRECTIONS, TESTS, RULES, PLOTS)
}
