"""Entropy and mutual information of samples, against theory and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from projects.global_workspace.information import entropy, mutual_information
from projects.global_workspace.information.entropy import joint_distribution


@pytest.mark.parametrize(
    ("probabilities", "bits"),
    # Shannon 1948: log2 of the number of equally likely values; 0 for a certain one; 1/2 + 1/4 * 2 + 1/4 * 2 = 1.5.
    [([0.25] * 4, 2.0), ([1.0, 0.0], 0.0), ([0.5, 0.25, 0.25], 1.5)],
)
def test_entropy_is_that_of_the_textbook(probabilities: list[float], bits: float) -> None:
    assert entropy(np.array(probabilities)) == bits


def test_mutual_information_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, 500)
    y = (x + rng.integers(0, 3, 500)) % 5
    assert mutual_information(x, y) == pytest.approx(mutual_info_score(x, y) / np.log(2), rel=1e-12)


def test_a_row_of_several_columns_is_one_value() -> None:
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    # Two bits name four equally likely values, 2 bits; each alone tells 1 bit of their number.
    number = bits @ [2, 1]
    assert mutual_information(bits, number) == 2.0
    assert mutual_information(bits[:, 0], number) == 1.0


def test_the_bias_of_the_plug_in_estimator_is_millers() -> None:
    # Miller 1955: (a - 1)(b - 1) / (2 n ln 2) for independent variables; here 3 * 2 / (2 * 200 * ln 2) = 0.02164.
    rng = np.random.default_rng(1)
    found = [mutual_information(rng.integers(0, 4, 200), rng.integers(0, 3, 200)) for _ in range(400)]
    # Twice n ln 2 times it is nearly chi-squared with 6 degrees: standard error of 400 means 0.0006; five of them.
    assert np.mean(found) == pytest.approx(0.02164, abs=0.003)


def test_the_axes_of_a_joint_distribution_are_the_variables() -> None:
    joint = joint_distribution(np.array([0, 0, 1, 1]), np.array(["b", "a", "a", "a"]))
    assert joint.tolist() == [[0.25, 0.25], [0.5, 0.0]]  # by counting: rows 0, 1; columns a, b


def test_unequal_numbers_of_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same number of samples, at least one; got \[2, 3\]"):
        mutual_information(np.zeros(2), np.zeros(3))


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \[0\]"):
        mutual_information(np.zeros(0), np.zeros(0))
