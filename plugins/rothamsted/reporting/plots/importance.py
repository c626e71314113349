"""Draw parameter importance: how much worse a random forest predicts the score when a factor is shuffled.

It is a model of the conditions, so the caption says how well it predicts. Permutation over out-of-bag conditions:
Breiman (2001), Machine Learning 45, section 10.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rothamsted.analysis.left_out import left_out_words
from rothamsted.analysis.values import Analysis, Factor
from rothamsted.reporting.plots.axes import fix_ticks, is_spread
from rothamsted.reporting.plots.contract import NotApplicable, Plot, PlotOptions, joined, words
from rothamsted.reporting.plots.labels import named, shorten
from rothamsted.reporting.plots.look import BLUE, interval_bars, sized
from rothamsted.reporting.plots.view import ABSENT, by_number, level_keys, metric_label, metric_of, scores, varying
from rothamsted.statistics.regression_trees import grow, predict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEWEST_CONDITIONS = 12  # below it, a tree's out-of-bag set has four conditions or fewer
# Below this out-of-bag R² importance is noise: of 30 to 60 simulated searches of pure noise with 12, 30 or 100
# conditions, 90 to 100 % stayed below 0, and 95 to 100 % below 0.1.
LEAST_R2 = 0.1
N_TREES = 60  # of one forest
MOST_DRAWN = 1_000  # conditions that a tree is grown on, and that it is tested on: more cost time and tell nothing new
N_FORESTS = 5  # their spread shows what the forest's own randomness does
MOST_BARS = 15


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Holds factors, the most important first."""

    metric: str
    factors: tuple[str, ...]
    importance: np.ndarray  # (factor,) rise of the squared error when shuffled, as a share of the variance of scores
    low: np.ndarray  # (factor,) least over forests
    high: np.ndarray
    r2: float  # out-of-bag, mean over forests
    n_conditions: int
    left_out: str  # which conditions have no finite mean, and why; empty: none
    is_log: bool  # the forest predicts the logarithm
    n_factors: int


def importance_data(analysis: Analysis, options: PlotOptions) -> Importance:
    """Fit forests to condition means and shuffle each factor among the conditions that a tree has not seen.

    Raises:
        NotApplicable: Fewer than 12 conditions, no spread, or forests that hardly predict better than the mean.
    """
    metric = metric_of(analysis, options.metric)
    factors = varying(analysis)
    known = scores(analysis, metric)
    if len(factors) < 2:
        raise NotApplicable(f"{named(factors[0].name)} is the only factor that varies: there is nothing to rank")
    if len(known) < FEWEST_CONDITIONS:
        raise NotApplicable(f"a forest needs {FEWEST_CONDITIONS} conditions with a score; there are {len(known)}")
    numbers = sorted(known)
    means = np.array([known[number].mean for number in numbers])
    is_log = is_spread(means)
    target = np.log(means) if is_log else means
    if np.ptp(target) <= 1e-12 * max(1.0, float(np.abs(target).max())):
        raise NotApplicable("all conditions have the same mean: nothing depends on any factor")
    columns, owners = _columns(analysis, factors, numbers)
    found = [_forest(columns, owners, target, seed) for seed in range(N_FORESTS)]
    r2 = float(np.mean([score for score, _ in found]))
    if r2 < LEAST_R2:
        raise NotApplicable(f"a forest hardly predicts the score (out-of-bag R² {r2:.2f}): importance would be noise")
    rises = np.array([rise for _, rise in found])  # (forest, factor)
    order = np.argsort(-rises.mean(axis=0), kind="stable")[:MOST_BARS]
    return Importance(
        metric=metric_label(analysis, metric),
        factors=tuple(factors[i].name for i in order),
        importance=rises.mean(axis=0)[order],
        low=rises.min(axis=0)[order],
        high=rises.max(axis=0)[order],
        r2=r2,
        n_conditions=len(numbers),
        left_out=left_out_words(analysis.dataset, numbers),
        is_log=is_log,
        n_factors=len(factors),
    )


def _columns(analysis: Analysis, factors: list[Factor], numbers: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Lay factors out as columns of numbers: (condition, column), and for each column the place of its factor.

    Numbers stay numbers (their order is all that a tree uses), NaN where they do not apply; other levels are one
    column each.
    """
    conditions = by_number(analysis)
    columns, owners = [], []
    for place, factor in enumerate(factors):
        keys = level_keys(factor, conditions)
        if factor.is_numeric:
            columns.append([np.nan if keys[number] is ABSENT else keys[number] for number in numbers])
            owners.append(place)
            continue
        for level in dict.fromkeys(keys[number] for number in numbers):
            columns.append([float(keys[number] == level) for number in numbers])
            owners.append(place)
    return np.array(columns, dtype=np.float64).T, np.array(owners)


def _forest(columns: np.ndarray, owners: np.ndarray, target: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """Grow one forest; return its out-of-bag R² and the rise of the error (factor,) as a share of the variance."""
    rng, n = np.random.default_rng(seed), len(target)
    drawn = rng.multinomial(min(n, MOST_DRAWN), np.full(n, 1 / n), size=N_TREES)
    trees = grow(columns, target, drawn, rng)
    tree, row = _unseen(drawn, rng)
    n_unseen, n_factors = np.bincount(tree, minlength=N_TREES), int(owners.max()) + 1
    filled = np.where(np.isnan(columns), -np.inf, columns)

    def squared(place: int, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Predictions, with a factor's values from other rows, and the mean squared error of each tree."""
        predicted = predict(trees, tree, lambda at, c: filled[np.where(owners[c] == place, other[at], row[at]), c])
        return predicted, np.bincount(tree, (predicted - target[row]) ** 2, N_TREES) / np.maximum(n_unseen, 1)

    own, error = squared(-1, row)
    rises = np.empty((n_factors, N_TREES))
    for place in range(n_factors):
        rises[place] = squared(place, row[np.lexsort((rng.random(len(row)), tree))])[1] - error
    known = out_of_bag_r2(target, np.bincount(row, own, n), np.bincount(row, minlength=n))
    return known, rises[:, n_unseen > 1].mean(axis=1) / target.var()


def _unseen(drawn: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Trees and the conditions that each has not seen, sorted by tree; of very many some at random."""
    tree, row = np.nonzero(drawn == 0)
    sizes = np.bincount(tree, minlength=len(drawn))
    shuffled = np.lexsort((rng.random(len(tree)), tree))
    is_kept = np.arange(len(tree)) - np.repeat(np.cumsum(sizes) - sizes, sizes) < MOST_DRAWN
    kept = np.sort(shuffled[is_kept])
    return tree[kept], row[kept]


def out_of_bag_r2(target: np.ndarray, predicted: np.ndarray, n_unseen: np.ndarray) -> float:
    """Return R² of each condition's mean prediction by the trees that have not seen it.

    Args:
        target: (condition,) true scores.
        predicted: (condition,) sum of these predictions.
        n_unseen: (condition,) number of such trees; a condition without any is left out.
    """
    is_known = n_unseen > 0
    true, mean = target[is_known], predicted[is_known] / n_unseen[is_known]
    return 1 - float(((true - mean) ** 2).sum() / ((true - true.mean()) ** 2).sum())


def importance_draw(data: Importance, figure: Figure) -> None:
    """Draw one bar for each factor, with the range over forests."""
    n = len(data.factors)
    sized(figure, 1.0 + 0.3 * n)
    axes = figure.subplots()
    rows = np.arange(n, dtype=float)
    axes.barh(rows, data.importance, height=0.6, color=BLUE)
    interval_bars(axes, rows, (data.importance, data.low, data.high), color="#202020", is_flat=True)
    axes.set_yticks(rows, labels=[shorten(name) for name in data.factors])
    axes.set_ylim(n - 0.4, -0.6)
    axes.set_xlim(min(0.0, float(data.low.min()) * 1.05), float(data.high.max()) * 1.06)
    fix_ticks(axes, "x")
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("rise of the squared error when the factor is shuffled\n(share of the variance between conditions)")


def importance_caption(data: Importance) -> str:
    """Say what the forest is worth."""
    what = f"the logarithm of {named(data.metric)}" if data.is_log else named(data.metric)
    rest = data.n_factors - len(data.factors)
    return joined(
        [
            f"Random forests on the means of {words(data.n_conditions, 'condition')}, predicting {what}: "
            f"out-of-bag R² {data.r2:.2f} (mean of {N_FORESTS} forests of {N_TREES} trees)",
            "Bars: mean over forests; whiskers: their range, which is not a confidence interval",
            "It describes this forest over the levels that were tried; factors that go together share their importance",
            f"Left out: {data.left_out}; what makes training diverge does not count here" if data.left_out else "",
            f"{len(data.factors)} of {data.n_factors} factors are shown" if rest else "",
        ]
    )


PLOT = Plot(title="Parameter importance", data=importance_data, draw=importance_draw, caption=importance_caption)
