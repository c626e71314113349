"""One-way analysis of variance against certified values.

Authority: NIST Statistical Reference Data Sets, Analysis of Variance, itl.nist.gov/div898/strd/anova: data
typed (SiRstv, AtmWtAg) or made by the published rule (SmLs01 to SmLs09, after Simon & Lesage 1989), and the
certified values of their pages. Values are held in binary, so a large common offset costs digits before any
computing: 1000000000000.4 is off by up to 6e-5, which is 6e-4 of the standard deviation. What is lost there no
algorithm gets back; the last test holds that nothing more is lost.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from rothamsted.statistics.factors import EffectRow, factor_effects

SI_RSTV = [
    [196.3052, 196.1240, 196.1890, 196.2569, 196.3403],
    [196.3042, 196.3825, 196.1669, 196.3257, 196.0422],
    [196.1303, 196.2005, 196.2889, 196.0343, 196.1811],
    [196.2795, 196.1748, 196.1494, 196.1485, 195.9885],
    [196.2119, 196.1051, 196.1850, 196.0052, 196.2090],
]
# What follows 107.8681, in units of 1e-7.
ATM_WT_AG = [
    [
        568, 465, 572, 785, 446, 903, 526, 494, 616, 587, 519, 486,
        419, 569, 508, 672, 385, 518, 662, 424, 360, 333, 610, 477,
    ],
    [
        79, 344, 513, 197, 604, 385, 642, 365, 151, 82, 517, 448,
        198, 482, 334, 609, 101, 512, 469, 360, 254, 261, 450, 368,
    ],
]  # fmt: skip


def typed(name: str) -> list[list[float]]:
    """Values of each treatment."""
    if name == "SiRstv":
        return SI_RSTV
    if name == "AtmWtAg":
        return [[float(f"107.868{1000 + digits:04d}") for digits in row] for row in ATM_WT_AG]
    number = int(name[-2:]) - 1
    offset, n = [1, 1000000, 1000000000000][number // 3], [21, 201, 2001][number % 3]
    steps = [4, 3, 5, 3, 5, 3, 5, 3, 5]  # tenths: of each treatment's mean, and of values around 4
    return [
        [float(f"{offset}.{tenths}")] + [float(f"{offset}.{tenths + step}") for step in [-1, 1] * (n // 2)]
        for tenths in steps
    ]


# Name: between df, between SS, within df, within SS, F, R squared, residual SD; relative tolerance.
CERTIFIED = {
    "SiRstv": (4, 5.11462616e-2, 20, 2.1663656e-1, 1.18046237440255, 1.90999039051129e-1, 1.04076068334656e-1, 1e-12),
    "SmLs01": (8, 1.68, 180, 1.8, 21.0, 4.82758620689655e-1, 0.1, 1e-13),
    "SmLs02": (8, 16.08, 1800, 18.0, 201.0, 4.71830985915493e-1, 0.1, 1e-13),
    "SmLs03": (8, 160.08, 18000, 180.0, 2001.0, 4.70712773465067e-1, 0.1, 1e-13),
    # 107.8681568 is off by up to 7e-15, which is 5e-10 of the standard deviation.
    "AtmWtAg": (
        1, 3.638341875e-9, 46, 1.04951729166667e-8, 15.9467335677930, 2.57426544538321e-1, 1.51048314446410e-5, 1e-8,
    ),
    # 1000000.4 is off by up to 6e-11, which is 6e-10 of the standard deviation.
    "SmLs04": (8, 1.68, 180, 1.8, 21.0, 4.82758620689655e-1, 0.1, 1e-8),
    "SmLs05": (8, 16.08, 1800, 18.0, 201.0, 4.71830985915493e-1, 0.1, 1e-8),
    "SmLs06": (8, 160.08, 18000, 180.0, 2001.0, 4.70712773465067e-1, 0.1, 1e-8),
    # 1000000000000.4 is off by up to 6e-5, which is 6e-4 of the standard deviation.
    "SmLs07": (8, 1.68, 180, 1.8, 21.0, 4.82758620689655e-1, 0.1, 5e-4),
    "SmLs08": (8, 16.08, 1800, 18.0, 201.0, 4.71830985915493e-1, 0.1, 5e-4),
    "SmLs09": (8, 160.08, 18000, 180.0, 2001.0, 4.70712773465067e-1, 0.1, 5e-4),
}  # fmt: skip


def analysed(name: str) -> tuple[EffectRow, EffectRow]:
    data = typed(name)
    treatments = [number for number, row in enumerate(data, start=1) for _ in row]
    between, within = factor_effects(np.concatenate(data), {"treatment": treatments}).rows
    return between, within


@pytest.mark.parametrize("name", sorted(CERTIFIED))
def test_f_agrees_with_the_certified_one(name: str) -> None:
    _, _, _, _, f, _, _, tolerance = CERTIFIED[name]
    assert analysed(name)[0].f == pytest.approx(f, rel=tolerance)


@pytest.mark.parametrize("name", sorted(CERTIFIED))
def test_sums_of_squares_agree_with_the_certified_ones(name: str) -> None:
    _, between_squares, _, within_squares, _, _, _, tolerance = CERTIFIED[name]
    between, within = analysed(name)
    found = (between.sum_squares, within.sum_squares)
    assert found == pytest.approx((between_squares, within_squares), rel=tolerance)


@pytest.mark.parametrize("name", sorted(CERTIFIED))
def test_degrees_of_freedom_are_the_certified_ones(name: str) -> None:
    between, within = analysed(name)
    assert (between.df, within.df) == (CERTIFIED[name][0], CERTIFIED[name][2])


@pytest.mark.parametrize("name", sorted(CERTIFIED))
def test_the_share_of_the_treatment_is_the_certified_r_squared(name: str) -> None:
    assert analysed(name)[0].share == pytest.approx(CERTIFIED[name][5], rel=CERTIFIED[name][7])


@pytest.mark.parametrize("name", sorted(CERTIFIED))
def test_the_residual_deviation_is_the_certified_one(name: str) -> None:
    within = analysed(name)[1]
    assert (within.sum_squares / within.df) ** 0.5 == pytest.approx(CERTIFIED[name][6], rel=CERTIFIED[name][7])


@pytest.mark.parametrize("name", ["AtmWtAg", "SmLs04", "SmLs05", "SmLs07", "SmLs08"])
def test_nothing_is_lost_beyond_what_writing_the_data_in_binary_loses(name: str) -> None:
    # Authority: the same quotient in exact rational arithmetic on the numbers as they are held.
    rows = [[Fraction(value) for value in row] for row in typed(name)]
    means = [sum(row) / len(row) for row in rows]
    grand = sum(means) / len(means)  # the treatments are equally large
    between = sum(len(row) * (mean - grand) ** 2 for row, mean in zip(rows, means))
    within = sum((value - mean) ** 2 for row, mean in zip(rows, means) for value in row)
    n, k = sum(map(len, rows)), len(rows)
    f = (between / (k - 1)) / (within / (n - k))
    assert analysed(name)[0].f == pytest.approx(float(f), rel=1e-11)
