"""Guess the command after an import: the parameters that vary, the seed among them, the metric to judge by."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rothamsted.importing.columns import is_metric_name
from rothamsted.importing.flat import number_of

MOST_RUNS = 20_000  # whose params are compared
MOST_GROUPED = 6  # parameters in the command
_SEED = re.compile(
    r"(^|[._/-])(random_?|rng_?|global_?|np_?|torch_?)?(seed|seeds|random_state|replicate|repeat|rep|fold)$", re.I
)
_HELD_OUT = re.compile(r"(^|[^a-z])(val|valid|validation|eval|dev|heldout)([^a-z]|$)", re.I)
_TEST = re.compile(r"(^|[^a-z])test([^a-z]|$)", re.I)
_JUDGED = re.compile(r"loss|acc|err|score|auc|f1|rmse|mse|mae|perplexity|reward|return|value|objective", re.I)


@dataclass
class SeenRuns:
    """Gathers what the imported runs have in common."""

    params: list[Mapping[str, str]] = field(default_factory=list)
    metrics: Counter[str] = field(default_factory=Counter)
    metric: str = ""
    direction: str = ""
    n_runs: int = 0

    def add(self, params: Mapping[str, str], metrics: Sequence[str], *, metric: str, direction: str) -> None:
        """Add a run, with the metric that its source judges it by."""
        self.n_runs += 1
        if len(self.params) < MOST_RUNS:
            self.params.append(params)
        self.metrics.update(metrics)
        self.metric, self.direction = self.metric or metric, self.direction or direction


@dataclass(frozen=True, kw_only=True)
class Guess:
    """Holds the arguments of an analysis.

    Attributes:
        group_by: parameters that every run has and that vary, in the order of the first run.
        replicate_by: the seed among them; empty: none is.
        metric: the metric to judge by; empty: there is none.
        direction: its direction; empty: `analyze` guesses it by the name.
        n_values: parameter -> number of its values.
    """

    group_by: Sequence[str]
    replicate_by: str
    metric: str
    direction: str
    n_values: Mapping[str, int]


def guess(seen: SeenRuns) -> Guess:
    """Guess what varies over the runs, and what they are judged by.

    Example:
        >>> seen = SeenRuns()
        >>> for lr in ("0.1", "0.5"):
        ...     for seed in ("0", "1"):
        ...         seen.add({"lr": lr, "seed": seed, "width": "64"}, ["loss"], metric="", direction="")
        >>> guess(seen)
        Guess(group_by=['lr'], replicate_by='seed', metric='loss', direction='', n_values={'lr': 2, 'seed': 2})
    """
    first = seen.params[0] if seen.params else {}
    codes: dict[str, tuple[int, ...]] = {}  # param -> which of its values each run has
    n_values: dict[str, int] = {}
    for name in first:
        if not _is_in_all(name, seen):
            continue
        known: dict[str, int] = {}
        code = tuple(known.setdefault(one[name], len(known)) for one in seen.params)
        is_label = len(known) == len(seen.params) > 2 and number_of(first[name]) is None  # a name, a path, a time
        if len(known) > 1 and not is_label:
            codes[name], n_values[name] = code, len(known)
    seeds = [name for name in codes if _SEED.search(name)]
    seed = max(seeds, key=lambda name: n_values[name], default="")
    group_by: list[str] = []
    there: set[tuple[int, ...]] = set()
    for name, code in codes.items():
        if name not in seeds and code not in there:  # one that says the same as another adds nothing
            group_by.append(name)
            there.add(code)
    if seed and not group_by:  # one condition: any parameter that all have names it
        group_by = [next((name for name in first if name not in seeds and _is_in_all(name, seen)), "")]
        group_by = [name for name in group_by if name]
    return Guess(
        group_by=group_by,
        replicate_by=seed,
        metric=seen.metric or _metric(seen.metrics, seen.n_runs),
        direction=seen.direction,
        n_values=n_values,
    )


def _is_in_all(name: str, seen: SeenRuns) -> bool:
    return all(name in one for one in seen.params)


def analyze_words(found: Guess, experiment: str) -> dict[str, str] | None:
    """Return the keys of the analysis for a command; None if nothing varies or is measured."""
    if not found.group_by or not found.metric:
        return None
    words = {"experiment": experiment, "group_by": ",".join(found.group_by[:MOST_GROUPED])}
    words |= {"replicate_by": found.replicate_by} if found.replicate_by else {}
    words |= {"metric": found.metric}
    return words | ({"direction": found.direction} if found.direction else {})


def _metric(metrics: Mapping[str, int], n_runs: int) -> str:
    """The metric that most runs have and whose name says most: of held-out data, and one that things are judged by."""

    def rank(name: str) -> tuple[int, ...]:
        held_out = 2 if _HELD_OUT.search(name) else 1 if _TEST.search(name) else 0
        return (
            int(metrics[name] * 2 >= n_runs),
            int(bool(_JUDGED.search(name))) + held_out,
            int(is_metric_name(name)),
            -len(name),
        )

    return max(sorted(metrics), key=rank, default="")
