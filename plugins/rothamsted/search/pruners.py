"""Make Optuna's pruners from their options.

The options of a sweep file, their defaults and bounds are in `rothamsted.catalog`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.pruners import BasePruner

from rothamsted.catalog import PRUNERS
from rothamsted.rows import epochs_in


def median(**options: Any) -> BasePruner:
    """Stop trials that are worse than the median of the finished trials at this step. Golovin et al. (2017), KDD."""
    return optuna.pruners.MedianPruner(**_against_others(options))


def percentile_of_others(*, percentile: float, **options: Any) -> BasePruner:
    """Stop trials that are worse than a percentile of the finished trials at this step."""
    return optuna.pruners.PercentilePruner(percentile, **_against_others(options))


def asha(**options: Any) -> BasePruner:
    """Stop trials by asynchronous successive halving. Li et al. (2020), arXiv:1810.05934."""
    return optuna.pruners.SuccessiveHalvingPruner(**options)


def hyperband(**options: Any) -> BasePruner:
    """Stop trials by brackets of successive halving. Li et al. (2018), JMLR 18(185)."""
    return optuna.pruners.HyperbandPruner(**options)


def threshold(*, warmup_steps: int, **options: Any) -> BasePruner:
    """Stop trials with a value outside fixed bounds."""
    return optuna.pruners.ThresholdPruner(n_warmup_steps=warmup_steps, **options)


def patient(*, wrapped: Mapping[str, Any] | None, **options: Any) -> BasePruner:
    """Stop trials without improvement for some steps, if the wrapped pruner (if any) agrees."""
    return optuna.pruners.PatientPruner(None if wrapped is None else make_pruner(wrapped), **options)


def wilcoxon(*, startup_steps: int, **options: Any) -> BasePruner:
    """Stop trials worse than the best by the signed-rank test over replicates. Wilcoxon (1945), Biometrics 1(6)."""
    return optuna.pruners.WilcoxonPruner(n_startup_steps=startup_steps, **options)


def make_pruner(pruner: Mapping[str, Any]) -> BasePruner:
    """Make Optuna's pruner from `name` and options as a sweep file gives them. Missing options have their defaults.

    If its options are in epochs ("3 epochs"), its steps must be epochs too.
    """
    given = {key: _count(value) for key, value in pruner.items() if key != "name"}
    defaults = {key: option.default for key, option in PRUNERS[pruner["name"]].options.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return PRUNERS.function(pruner["name"])(**{**defaults, **given})


def _count(value: Any) -> Any:
    n_epochs = epochs_in(value)
    return value if n_epochs is None else n_epochs


def _against_others(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that median and percentile share, under Optuna's names."""
    names = {"startup_trials": "n_startup_trials", "warmup_steps": "n_warmup_steps", "min_trials": "n_min_trials"}
    return {names.get(key, key): value for key, value in options.items()}
