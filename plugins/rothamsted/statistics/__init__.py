"""Intervals, summaries and reductions of arrays of numbers: no MLflow, no Optuna, no files.

Apart, because a statistic has to be provable by itself: numbers in, numbers out.
"""

from rothamsted.statistics.align import align
from rothamsted.statistics.intervals import Interval, mean_interval, t_quantile
from rothamsted.statistics.reduce import Reduction, parse_reduction, reduce_curve
from rothamsted.statistics.summary import SUMMARY_KEYS, summarize

__all__ = [
    "SUMMARY_KEYS",
    "Interval",
    "Reduction",
    "align",
    "mean_interval",
    "parse_reduction",
    "reduce_curve",
    "summarize",
    "t_quantile",
]
