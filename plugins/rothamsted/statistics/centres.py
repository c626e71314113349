"""Compute the number of a condition over its replicates: mean, median, interquartile mean or a quantile.

A sweep file names it (`objective.over`). The sampler, ranking, confirmation and reports all use this number. One bad
seed moves the mean of n values by its badness divided by n. It hardly moves the other numbers.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rothamsted.errors import SpecError
from rothamsted.statistics.adjusted import mean_of
from rothamsted.statistics.intervals import moments

Kind = Literal["mean", "median", "iqm", "quantile"]
MEAN = "mean"
QUARTER = 4  # of n values n // QUARTER are left out on each side
LEAST_N_IQM = 4  # fewer values have no quarter to leave out


@dataclass(frozen=True, kw_only=True)
class Centre:
    """Describes the number that a condition is judged by."""

    kind: Kind
    q: float = 0.5  # share of the values below it; of a median and a quantile

    @property
    def words(self) -> str:
        """Give its name for a sentence: "mean", "median", "interquartile mean", "0.1 quantile"."""
        return {"iqm": "interquartile mean", "quantile": f"{self.q:g} quantile"}.get(self.kind, self.kind)


def parse_over(text: str) -> Centre:
    """Read "mean", "median", "iqm" or "quantile:Q" with Q between 0 and 1.

    Raises:
        SpecError: It is none of these.
    """
    if text == "mean" or text == "median" or text == "iqm":
        return Centre(kind=text)
    found = re.fullmatch(r"quantile:(0?\.\d+|\d(?:\.\d+)?[eE]-\d+)", text)
    q = float(found[1]) if found else 0.0
    if not 0 < q < 1:
        raise SpecError(
            f"objective.over: {text!r} is not known; use mean, median, iqm, or quantile:Q with Q between 0 and 1, "
            "such as quantile:0.1"
        )
    return Centre(kind="quantile", q=q)


def words_of(over: str) -> str:
    """Return the name of the number for a sentence."""
    return parse_over(over).words


def with_article(words: str) -> str:
    """Return the words with "a" or "an"."""
    return f"an {words}" if words.startswith("i") else f"a {words}"


def statistic_of(over: str) -> str:
    """Return the name of the number as a part of a metric's name: "median", "iqm", "quantile_0.1"."""
    return over.replace(":", "_")


def centre_of(values: np.ndarray, over: str) -> float:
    """Return the number of the finite values (replicate,); NaN without any.

    mean: as `mean_of`. median: of an even number of values the mean of the two in the middle. iqm: the mean without the
    lowest and the highest quarter, n // 4 values on each side, as scipy's trim_mean at 0.25; of fewer than 4 values it
    is their mean. quantile:Q of the values as logged, whichever direction is better: numpy's default, linear between
    the two nearest (Hyndman & Fan 1996, The American Statistician 50(4), type 7).
    """
    centre = parse_over(over)
    if centre.kind == "mean":
        return mean_of(values)
    finite = np.sort(values[np.isfinite(values)])
    n = len(finite)
    if n == 0:
        return float("nan")
    if centre.kind == "iqm":
        return interquartile_mean(finite)
    if centre.kind == "median":
        return float(finite[(n - 1) // 2] / 2 + finite[n // 2] / 2)
    return float(np.quantile(finite, centre.q))


def interquartile_mean(values: np.ndarray) -> float:
    """Return the mean without the lowest and the highest quarter of values (replicate,), all finite.

    A quarter of n is rounded down: with fewer than four values it is the mean. The same as scipy.stats.trim_mean at
    0.25, the IQM of Agarwal et al. (2021), arXiv:2108.13264. NaN without values.
    """
    n = len(values)
    if n == 0:
        return math.nan
    if (n_cut := n_trimmed(n)) == 0:
        return mean_of(values)
    middle = np.sort(values)[n_cut : n - n_cut]
    return float(moments(middle[:, None])[0][0])


def n_trimmed(n: int) -> int:
    """Return how many of n values the interquartile mean leaves out on each side."""
    return n // QUARTER
