"""What a row of each registry holds: facts, and the function, with what that gets and returns.

The rows themselves stand in `catalog`; CONTRIBUTING.md has a recipe for each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Make = str | Callable[..., Any]  # a function, or "module:name" of it


@dataclass(frozen=True, kw_only=True)
class SamplerRow:
    """What a sampler can do, and how its conditions are made.

    A *design* does not look at results: `make(space, seed, start, stop)` yields its conditions start, ..., stop - 1,
    a dict of parameters each; condition k depends on space, seed and k alone, so that any worker and any resume
    gets the same. An *adaptive* sampler is Optuna's: `make(seed, known)` returns one for one trial, from a seed and
    the complete trials known from earlier searches.

    Attributes:
        make: the function.
        adaptive: it looks at results; otherwise it is a design, whose conditions are known beforehand.
        conditional: it works on spaces where a parameter depends on another (`when`).
        categorical: it works on spaces with choices.
        several_objectives: it works with two and more objectives.
        constraints: it may be used with constraints; an adaptive one then looks at them.
        needs_finite_space: every parameter needs a finite set of values.
        keeps_state: an adaptive one remembers more than trials, made from their scores and the space as they were:
            neither may then change when a sweep goes on.
        min_parameters: fewest parameters that a space must have.
        known_attributes: system attributes under which an adaptive one looks at what is known.
        min_known: fewest known trials that an adaptive one can start from.
    """

    make: Make
    adaptive: bool = False
    conditional: bool = True
    categorical: bool = True
    several_objectives: bool = True
    constraints: bool = True
    needs_finite_space: bool = False
    keeps_state: bool = False
    min_parameters: int = 1
    known_attributes: Mapping[str, Any] = field(default_factory=dict)
    min_known: int = 1


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of a pruner.

    Attributes:
        kind: int, float (an int will do), or pruner: a mapping with a name and options of its own.
        default: None with `is_required` false means: left out, there is none.
        low, high: bounds of the value, both included; of a whole number MOST_STEPS where `high` is not said.
        in_epochs: it is a number of steps, and a file may give epochs in their place: "3 epochs".
    """

    kind: Literal["int", "float", "pruner"]
    default: float | None = None
    is_required: bool = False
    low: float | None = None
    high: float | None = None
    in_epochs: bool = False


def epochs_in(value: Any) -> int | None:
    """The number in a text such as "3 epochs"; None: it is another value.

    Example:
        >>> epochs_in("3 epochs"), epochs_in("1 epoch"), epochs_in(3), epochs_in("soon")
        (3, 1, None, None)
    """
    found = re.fullmatch(r"(\d{1,20}) epochs?", value) if isinstance(value, str) else None
    return int(found[1]) if found else None


@dataclass(frozen=True, kw_only=True)
class PrunerRow:
    """What a pruner looks at, and its options by name. `make(**options)` returns Optuna's pruner.

    Attributes:
        make: the function.
        over: what a step is: a step of training, or the number of a replicate.
        options: a file gives them beside the name.
        needs_one_of: options of which at least one must be given.
    """

    make: Make
    over: Literal["steps", "replicates"] = "steps"
    options: Mapping[str, Option] = field(default_factory=dict)
    needs_one_of: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IntervalRow:
    """A confidence interval for the mean over replicates.

    `make(values, level, seed, n_resamples)` returns its low and high ends, arrays (point,). The values are an array
    (replicate, point), all finite and no column constant; a level such as 0.95 is the nominal coverage; what is
    drawn comes from the seed. Ends outside the metric's range are cut off, unless the row takes the metric: then
    `make` has it as a further argument `metric`, a `metric.Metric`, and keeps to its range.

    Attributes:
        make: the function.
        is_resampled: it draws replicates again, so that few of them do not reach its tails; see
            `statistics.bootstrap.least_n_to_resample`. Others take two replicates.
        takes_metric: it gets what is known of the metric.
        is_of_rows: of a share over a known number of rows, `metric.rows`: one replicate will do, and equal values have
            a width. It takes the metric.
    """

    make: Make
    is_resampled: bool = False
    takes_metric: bool = False
    is_of_rows: bool = False


@dataclass(frozen=True, kw_only=True)
class CorrectionRow:
    """A correction of the comparisons that are made together.

    `make(p_values)` returns the corrected p-values: arrays (test,), without NaN. A joint one replaces the test:
    `make(groups, level, is_paired)` gets an array (condition, seed), NaN where missing, and returns one
    `statistics.compare.Answer` for each condition but the first: its difference from the first, the ends of the
    interval, the p-value, and a note.

    Attributes:
        make: the function.
        label: how a table names it.
        is_family_wise: that is the probability of any false finding, as a promotion demands.
        is_joint: it is joint.
    """

    make: Make
    label: str
    is_family_wise: bool = False
    is_joint: bool = False


@dataclass(frozen=True, kw_only=True)
class TwoSampleRow:
    """A comparison of two conditions.

    `make(a, b, question)` gets the replicates of both, arrays of two or more finite values, and a
    `statistics.compare.Question`: alternative, null, level, seed. It returns estimate, low, high, p-value and, where
    there is something to say, a note. The values are scaled by a power of two: the estimate must scale with them.

    Attributes:
        make: the function.
        label: how a table names it.
        is_paired: a and b are pairs, by seed.
        twin: the name of the comparison that takes its place where replicates are not paired, or are.
    """

    make: Make
    label: str
    is_paired: bool = False
    twin: str = ""


@dataclass(frozen=True, kw_only=True)
class RuleRow:
    """A promotion rule: what a challenger's improvement must exceed.

    `make(amount, champion)` returns the threshold in units of the metric, better being positive; amount is the
    number that the policy gives, champion the finite values of the champion's replicates. A threshold that depends
    on the champion's values is taken as known: its own error is not counted.

    Attributes:
        make: the function.
        takes: the key of the policy that holds the amount.
    """

    make: Make
    takes: Literal["smallest_improvement", "margin"] = "smallest_improvement"
