"""Compute how many times fewer matched pairs cycle losses need, from an export of sweeps/global_workspace/pairs.yaml.

    rothamsted export gw-pairs folder=exports && python -m projects.global_workspace.pairs exports

It reads `aggregated_results.json`. The claim to test is that of Devillers, Maytié and VanRullen, arXiv:2306.15711: 4 to
7 times fewer.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from projects.files.problem import DataProblem
from projects.files.reading import read_json, reading
from projects.files.values import finite_numbers

PAIRS, CYCLE, ERROR = "training.n_pairs", "training.loss_configs.weights.cycle", "objective"
N_RESAMPLES, LEVEL = 2000, 0.95
_WAY_OUT = "give an export of the sweep gw-pairs, made by rothamsted export"

Errors = Mapping[int, np.ndarray]  # pairs -> translation errors, (seed,)


@dataclass(frozen=True, kw_only=True)
class Saving:
    """Says how many pairs training without cycles needs for the error that cycles reach with some pairs."""

    n_pairs: int  # with cycles
    factor: float  # pairs without cycles over pairs with them; NaN where no number of pairs reaches the error
    low: float  # percentile interval over resampled seeds; an end beyond the swept pairs is infinite or 0
    high: float


def savings(with_cycles: Errors, without: Errors, seed: int = 0) -> list[Saving]:
    """Return the saving at each number of pairs with cycles.

    The error without cycles is interpolated linearly between the swept numbers of pairs, in the logarithms of both.
    Seeds are resampled together: a seed has the same initial weights in every condition.
    """
    rng = np.random.default_rng(seed)
    n_seeds = len(next(iter(with_cycles.values())))
    draws = [np.arange(n_seeds), *rng.integers(0, n_seeds, (N_RESAMPLES, n_seeds))]
    found = []
    for n_pairs, errors in sorted(with_cycles.items()):
        factors = np.array([_pairs_for(errors[draw].mean(), without, draw) / n_pairs for draw in draws])
        low, high = np.quantile(factors[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
        factor = factors[0] if 0 < factors[0] < np.inf else np.nan
        found.append(Saving(n_pairs=n_pairs, factor=float(factor), low=float(low), high=float(high)))
    return found


def read_errors(folder: Path) -> tuple[Errors, Errors]:
    """Read translation errors with and without cycles of an export.

    Raises:
        DataProblem: The export is missing or of another sweep, or runs are missing in it.
    """
    path = folder / "aggregated_results.json"
    found = read_json(path, way_out=_WAY_OUT)
    with reading(path, way_out=_WAY_OUT):
        entries = list(found.values())
        arms: list[dict[int, np.ndarray]] = [{}, {}]
        for entry in entries:
            arms[entry[CYCLE] == 0][int(entry[PAIRS])] = _values(entry, f"{path}: {ERROR}")
    sizes = {len(values) for arm in arms for values in arm.values()}
    if not all(arms) or len(sizes) != 1 or 0 in sizes:
        raise DataProblem(
            f"{path}: each number of pairs needs the same number of runs, with and without cycles; {_WAY_OUT}"
        )
    return arms[0], arms[1]


def _values(entry: Mapping[str, Any], place: str) -> np.ndarray:
    """Scores in the order of the seeds, so that equal places are equal seeds."""
    finished = [one for one in entry["individual_results"] if one["outcome"] == "finished"]
    values = np.array([one[ERROR] for one in sorted(finished, key=lambda one: one["seed"])], dtype=float)
    return finite_numbers(values, place=place, way_out=_WAY_OUT)


def _pairs_for(error: float, without: Errors, draw: np.ndarray) -> float:
    """Pairs without cycles for an error: 0 where the fewest are better already, infinite where the most are not."""
    pairs = np.array(sorted(without))
    means = np.minimum.accumulate([without[n][draw].mean() for n in pairs])  # more pairs are never worse
    if means[0] <= error:
        return 0.0 if means[0] < error else float(pairs[0])
    if means[-1] > error:
        return np.inf
    return float(np.exp(np.interp(-np.log(error), -np.log(means), np.log(pairs))))


def main(arguments: Sequence[str]) -> int:
    """Print the saving at each number of pairs."""
    if len(arguments) != 1:
        print("usage: python -m projects.global_workspace.pairs EXPORT_FOLDER", file=sys.stderr)
        return 2
    try:
        with_cycles, without = read_errors(Path(arguments[0]))
    except DataProblem as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    n_seeds = len(next(iter(with_cycles.values())))
    print(f"matched pairs that cycles save, {LEVEL:.0%} percentile bootstrap intervals over {n_seeds} seeds")
    for saving in savings(with_cycles, without):
        print(f"{saving.n_pairs:>6} pairs with cycles: {saving.factor:.2f} ({saving.low:.2f} to {saving.high:.2f})")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
