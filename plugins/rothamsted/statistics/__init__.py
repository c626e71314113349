"""Compute intervals, comparisons, factor effects, plans and races on arrays of numbers: no MLflow, no Optuna, no files.

Numbers go in and numbers come out, so that each statistic can be tested alone.
"""

from rothamsted.catalog import CORRECTIONS, INTERVALS, TESTS
from rothamsted.statistics.align import align
from rothamsted.statistics.bands import CurveBand, band
from rothamsted.statistics.best import BEST_METHODS, AgainstBest, BestResult, compare_with_best
from rothamsted.statistics.best_power import detectable_loss, power_of_best, seeds_to_decide, seeds_to_show
from rothamsted.statistics.compare import Difference, compare
from rothamsted.statistics.corrections import correct
from rothamsted.statistics.describe import Description, describe
from rothamsted.statistics.effects import Effect, cohens_d, probability_better
from rothamsted.statistics.factors import EffectRow, FactorEffects, LevelMean, factor_effects
from rothamsted.statistics.families import Family, dunnett, tukey
from rothamsted.statistics.intervals import DEFAULT_LEVEL, Interval, mean_interval, t_quantile
from rothamsted.statistics.power import DEFAULT_POWER, power_of
from rothamsted.statistics.racing import Race, race
from rothamsted.statistics.ranks import RankComparison, compare_ranks, critical_difference
from rothamsted.statistics.reduce import Reduction, parse_reduction, reduce_curve
from rothamsted.statistics.spread import Pooled, pooled_sd, sd_of_paired_differences
from rothamsted.statistics.stopping import StopDecision, is_narrow_enough
from rothamsted.statistics.summary import SUMMARY_KEYS, summarize

__all__ = [
    "BEST_METHODS",
    "CORRECTIONS",
    "DEFAULT_LEVEL",
    "DEFAULT_POWER",
    "INTERVALS",
    "SUMMARY_KEYS",
    "TESTS",
    "AgainstBest",
    "BestResult",
    "CurveBand",
    "Description",
    "Difference",
    "Effect",
    "EffectRow",
    "FactorEffects",
    "Family",
    "Interval",
    "LevelMean",
    "Pooled",
    "Race",
    "RankComparison",
    "Reduction",
    "StopDecision",
    "align",
    "band",
    "cohens_d",
    "compare",
    "compare_ranks",
    "compare_with_best",
    "correct",
    "critical_difference",
    "describe",
    "detectable_loss",
    "dunnett",
    "factor_effects",
    "is_narrow_enough",
    "mean_interval",
    "parse_reduction",
    "pooled_sd",
    "power_of",
    "power_of_best",
    "probability_better",
    "race",
    "reduce_curve",
    "sd_of_paired_differences",
    "seeds_to_decide",
    "seeds_to_show",
    "summarize",
    "t_quantile",
    "tukey",
]
