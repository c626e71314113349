"""Name the runs of a sweep in MLflow's lists by what varies, so that a name says which run it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from rothamsted.space import Choice
from rothamsted.spec import Sweep

MOST_CHARACTERS = 120  # of a name: a list of runs has no room for more
SIGNIFICANT_DIGITS = 3


def trial_name(sweep: Sweep, condition: Mapping[str, Any], number: int) -> str:
    """Return the name of a condition: the parameters that vary.

    Returns:
        "lr 0.14, gamma 0.3, batch_size 128"; "trial 0" if nothing varies.
    """
    shown = short_names(sweep.space)
    named = [f"{shown[name]} {_value(condition[name])}" for name in varying(sweep) if name in condition]
    return cut(", ".join(named)) or f"trial {number}"


def replicate_name(varied: Mapping[str, int], seed: int) -> str:
    """Return the name of a replicate: "seed 3"; "seed 0, split 2" if replicates are crossed."""
    if len(set(varied.values())) < 2:  # all of them are the seed
        return f"seed {seed}"
    shown = short_names(varied)
    return cut(", ".join(f"{shown[name]} {number}" for name, number in varied.items()))


def confirmation_name(sweep: Sweep, condition: Mapping[str, Any], number: int) -> str:
    """Return the name of a condition's run on fresh seeds."""
    return cut(f"confirm {trial_name(sweep, condition, number)}")


def short_names(names: Collection[str]) -> dict[str, str]:
    """Return dotted name -> its last part, unless another name has the same last part.

    >>> short_names(["optimizer.lr", "gamma"])
    {'optimizer.lr': 'lr', 'gamma': 'gamma'}
    """
    last = {name: name.rpartition(".")[2] for name in names}
    n_alike = Counter(last.values())
    return {name: part if n_alike[part] == 1 else name for name, part in last.items()}


def cut(text: str) -> str:
    """Cut a text to MOST_CHARACTERS, with an ellipsis if something is left out."""
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"


def varying(sweep: Sweep) -> list[str]:
    """List the parameters of the space that have more than one value."""
    return [name for name, domain in sweep.space.items() if not isinstance(domain, Choice) or len(domain.values) > 1]


def _value(value: Any) -> str:
    return f"{value:.{SIGNIFICANT_DIGITS}g}" if isinstance(value, float) else str(value)
