"""Define the rows of each registry: the facts about a method, and its function with arguments and return value.

The rows themselves are in `catalog`. CONTRIBUTING.md has an example of each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Make = str | Callable[..., Any]  # a function, or "module:name" of it


@dataclass(frozen=True, kw_only=True)
class SamplerRow:
    """Describes a sampler: what it can do, and how its conditions are made.

    A *design* does not look at results: `make(space, seed, start, stop)` yields its conditions start, ..., stop - 1,
    each a dict of parameters. Condition k depends on space, seed and k alone, so that every worker and every resumed
    sweep gets the same. An *adaptive* sampler is one of Optuna's: `make(seed, known)` returns it for one trial, from a
    seed and the complete trials known from earlier searches.

    Attributes:
        make: the function.
        adaptive: it looks at results; otherwise it is a design.
        conditional: it works on spaces in which a parameter depends on another (`when`).
        categorical: it works on spaces with choices.
        several_objectives: it works with two or more objectives.
        constraints: it may be used with constraints; an adaptive sampler then looks at them.
        needs_finite_space: every parameter needs a finite set of values.
        keeps_state: an adaptive sampler remembers more than the trials. Scores and space may then not change when a
            sweep goes on.
        min_parameters: fewest parameters that a space must have.
        known_attributes: system attributes of Optuna's trials from which an adaptive sampler reads the known trials.
        min_known: fewest known trials that an adaptive sampler can start from.
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
    """Describes one option of a pruner.

    Attributes:
        kind: int, float (an int will do), or pruner: a mapping with a name and options of its own.
        default: value if the option is left out; None with `is_required` false: there is none then.
        low, high: bounds of the value, both included. Without `high`, a whole number is at most MOST_STEPS.
        in_epochs: it is a number of steps, and a file may give epochs instead: "3 epochs".
    """

    kind: Literal["int", "float", "pruner"]
    default: float | None = None
    is_required: bool = False
    low: float | None = None
    high: float | None = None
    in_epochs: bool = False


def epochs_in(value: Any) -> int | None:
    """Return the number in a text such as "3 epochs", or None for any other value.

    Example:
        >>> epochs_in("3 epochs"), epochs_in("1 epoch"), epochs_in(3), epochs_in("soon")
        (3, 1, None, None)
    """
    found = re.fullmatch(r"(\d{1,20}) epochs?", value) if isinstance(value, str) else None
    return int(found[1]) if found else None


@dataclass(frozen=True, kw_only=True)
class PrunerRow:
    """Describes a pruner: what it looks at, and its options by name. `make(**options)` returns Optuna's pruner.

    Attributes:
        make: the function.
        over: what a step is: a step of training, or the number of a replicate.
        options: name -> option; a sweep file gives them beside the pruner's name.
        needs_one_of: options of which at least one must be given.
    """

    make: Make
    over: Literal["steps", "replicates"] = "steps"
    options: Mapping[str, Option] = field(default_factory=dict)
    needs_one_of: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class IntervalRow:
    """Describes a confidence interval for the mean over replicates.

    `make(values, level, seed, n_resamples)` returns its low and high ends, arrays of shape (point,). `values` is an
    array of shape (replicate, point); all values are finite and no column is constant. `level`, such as 0.95, is the
    nominal coverage. Random draws come from `seed`. Ends outside the metric's range are cut off. If the row takes the
    metric, `make` gets a further argument `metric`, a `metric.Metric`, and must keep to its range itself.

    Attributes:
        make: the function.
        is_resampled: it resamples replicates, and needs at least `statistics.bootstrap.least_n_to_resample` of them.
            Other intervals need two.
        takes_metric: it gets what is known of the metric.
        is_of_rows: it is for a share of a known number of rows, `metric.rows`. One replicate is then enough, and equal
            values have an interval too. Such a row takes the metric.
    """

    make: Make
    is_resampled: bool = False
    takes_metric: bool = False
    is_of_rows: bool = False


@dataclass(frozen=True, kw_only=True)
class CorrectionRow:
    """Describes a correction for several comparisons.

    `make(p_values)` gets and returns an array of shape (test,) without NaN: the p-values, and the corrected ones. A
    joint correction replaces the test: `make(groups, level, is_paired)` gets an array of shape (condition, seed), with
    NaN for missing replicates. It returns one `statistics.compare.Answer` for each condition but the first: the
    difference from the first, the ends of the interval, the p-value, and a note.

    Attributes:
        make: the function.
        label: how a table names it.
        is_family_wise: it bounds the probability of any false finding, as a promotion demands.
        is_joint: it replaces the test, as above.
    """

    make: Make
    label: str
    is_family_wise: bool = False
    is_joint: bool = False


@dataclass(frozen=True, kw_only=True)
class TwoSampleRow:
    """Describes a comparison of two conditions.

    `make(a, b, question)` gets the replicates of both, arrays of two or more finite values, and a
    `statistics.compare.Question`: alternative, null, level, seed. It returns estimate, low, high, p-value and, if
    needed, a note. The values may be scaled by a power of two: the estimate must scale with them.

    Attributes:
        make: the function.
        label: how a table names it.
        is_paired: a[i] and b[i] have the same seed.
        twin: name of the comparison that replaces it: the unpaired one of a paired one, and the other way round.
    """

    make: Make
    label: str
    is_paired: bool = False
    twin: str = ""


@dataclass(frozen=True, kw_only=True)
class RuleRow:
    """Describes a promotion rule: the threshold that a challenger's improvement must exceed.

    `make(amount, champion)` returns the threshold in units of the metric; positive means better. `amount` is the number
    of the policy. `champion` is an array of the finite values of the champion's replicates. A threshold that depends on
    the champion's values is taken as known: its own error is not counted.

    Attributes:
        make: the function.
        takes: the key of the policy that holds the amount.
    """

    make: Make
    takes: Literal["smallest_improvement", "margin"] = "smallest_improvement"
