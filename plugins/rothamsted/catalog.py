"""Which samplers and pruners there are, and what each can do.

Plain data, apart from the search that runs them, so that a sweep file can be refused without touching Optuna.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class SamplerFacts:
    """What a sampler can do.

    Attributes:
        adaptive: it looks at results; otherwise it is a design, whose conditions are known beforehand.
        conditional: it works on spaces where a parameter depends on another (`when`).
        categorical: it works on spaces with choices.
        several_objectives: it works with two and more objectives.
        constraints: it may be used with constraints; an adaptive one then looks at them.
        needs_finite_space: every parameter needs a finite set of values.
        min_parameters: fewest parameters that a space must have.
    """

    adaptive: bool
    conditional: bool = True
    categorical: bool = True
    several_objectives: bool = True
    constraints: bool = True
    needs_finite_space: bool = False
    min_parameters: int = 1


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a pruner.

    Attributes:
        kind: int, float (an int will do), or pruner: a mapping with a name and options of its own.
        default: None with `is_required` false means: left out, there is none.
        low, high: bounds of the value, both included.
    """

    kind: Literal["int", "float", "pruner"]
    default: float | None = None
    is_required: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class PrunerFacts:
    """What a pruner looks at, and its options by name.

    Attributes:
        over: what a step is: a step of training, or the number of a replicate.
        needs_one_of: options of which at least one must be given.
    """

    over: Literal["steps", "replicates"] = "steps"
    options: Mapping[str, Option]
    needs_one_of: tuple[str, ...] = ()


SAMPLERS: Mapping[str, SamplerFacts] = {
    "grid": SamplerFacts(adaptive=False, needs_finite_space=True),
    "exhaustive": SamplerFacts(adaptive=False, needs_finite_space=True),
    "random": SamplerFacts(adaptive=False),
    "qmc": SamplerFacts(adaptive=False),
    "tpe": SamplerFacts(adaptive=True),
    "gp": SamplerFacts(adaptive=True, conditional=False),
    "cmaes": SamplerFacts(
        adaptive=True,
        conditional=False,
        categorical=False,
        several_objectives=False,
        constraints=False,
        min_parameters=2,
    ),
    "nsgaii": SamplerFacts(adaptive=True, conditional=False),
    "nsgaiii": SamplerFacts(adaptive=True, conditional=False),
}

_WARMUP: Mapping[str, Option] = {
    "warmup_steps": Option(kind="int", default=0, low=0),
    "interval_steps": Option(kind="int", default=1, low=1),
}
_AGAINST_OTHERS: Mapping[str, Option] = {
    "startup_trials": Option(kind="int", default=5, low=0),
    **_WARMUP,
    "min_trials": Option(kind="int", default=1, low=1),
}

PRUNERS: Mapping[str, PrunerFacts] = {
    "median": PrunerFacts(options=_AGAINST_OTHERS),
    "percentile": PrunerFacts(
        options={"percentile": Option(kind="float", default=25.0, low=0, high=100), **_AGAINST_OTHERS}
    ),
    "asha": PrunerFacts(
        options={
            "min_resource": Option(kind="int", default=1, low=1),
            "reduction_factor": Option(kind="int", default=4, low=2),
            "min_early_stopping_rate": Option(kind="int", default=0, low=0),
        }
    ),
    "hyperband": PrunerFacts(
        options={
            "min_resource": Option(kind="int", default=1, low=1),
            "max_resource": Option(kind="int", is_required=True, low=1),
            "reduction_factor": Option(kind="int", default=3, low=2),
        }
    ),
    "threshold": PrunerFacts(
        options={"lower": Option(kind="float"), "upper": Option(kind="float"), **_WARMUP},
        needs_one_of=("lower", "upper"),
    ),
    "patient": PrunerFacts(
        options={
            "patience": Option(kind="int", is_required=True, low=0),
            "min_delta": Option(kind="float", default=0.0, low=0),
            "wrapped": Option(kind="pruner"),
        }
    ),
    "wilcoxon": PrunerFacts(
        over="replicates",
        options={
            "p_threshold": Option(kind="float", default=0.1, low=0, high=1),
            "startup_steps": Option(kind="int", default=2, low=0),
        },
    ),
}
