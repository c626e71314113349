"""Regression trees, against scikit-learn's on the same draws."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeRegressor

from rothamsted.statistics.regression_trees import Trees, grow, predict


def predicted(trees: Trees, tree: int, columns: np.ndarray) -> np.ndarray:
    return predict(trees, np.full(len(columns), tree), lambda at, column: columns[at, column])


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def drawn_rows(n_trees: int, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_trees)


@pytest.mark.parametrize("seed", range(5))
def test_trees_predict_as_those_of_scikit_learn_grown_on_the_same_draws(seed: int) -> None:
    # Authority: sklearn.tree.DecisionTreeRegressor, best splits, of 2 rows a leaf. Levels of the first column are tied.
    rng = np.random.default_rng(seed)
    columns = np.column_stack([rng.integers(0, 4, 60), rng.normal(size=60), rng.normal(size=60)]).astype(float)
    target = np.sin(columns[:, 0]) + columns[:, 1] ** 2 + 0.3 * rng.normal(size=60)
    drawn = drawn_rows(7, 60, seed)
    trees = grow(columns, target, drawn, generator())
    for tree, counts in enumerate(drawn):
        theirs = DecisionTreeRegressor(min_samples_leaf=2, random_state=0)
        theirs.fit(columns[counts > 0], target[counts > 0], sample_weight=counts[counts > 0])
        seen = columns[counts > 0]
        assert predicted(trees, tree, seen) == pytest.approx(theirs.predict(seen), abs=1e-6)
        agree = np.isclose(predicted(trees, tree, columns), theirs.predict(columns), atol=1e-6)
        assert agree.mean() > 0.8  # two columns that split equally well may be taken in either order


def test_a_tree_is_the_mean_where_nothing_splits() -> None:
    # By hand: rows 0, 1, 1 of targets 1, 4: (1 + 4 + 4) / 3.
    trees = grow(np.array([[0.0], [0.0], [5.0]]), np.array([1.0, 4.0, 9.0]), np.array([[1, 2, 0]]), generator())
    assert predicted(trees, 0, np.array([[0.0], [9.0]])) == pytest.approx([3.0, 3.0])


def test_rows_without_a_value_are_a_level_of_their_own() -> None:
    columns = np.array([[np.nan], [np.nan], [1.0], [1.0], [2.0], [2.0]])
    target = np.array([5.0, 5.0, 1.0, 1.0, 9.0, 9.0])
    trees = grow(columns, target, np.ones((1, 6), dtype=int), generator())
    assert predicted(trees, 0, columns) == pytest.approx(target)


def test_a_leaf_has_two_rows_however_often_one_was_drawn() -> None:
    trees = grow(np.arange(3.0)[:, None], np.array([0.0, 0.0, 9.0]), np.array([[1, 1, 5]]), generator())
    assert predicted(trees, 0, np.arange(3.0)[:, None]) == pytest.approx([45 / 7] * 3)


def test_columns_that_split_equally_well_are_taken_in_turn() -> None:
    # Theory: of two equal columns each is the root of half of the trees; 200 trees, at 5 standard deviations.
    column = np.arange(8.0)
    trees = grow(np.column_stack([column, -column]), column, np.ones((200, 8), dtype=int), generator())
    assert (trees.column[:200] == 0).sum() == pytest.approx(100, abs=5 * 50**0.5)


def test_equal_generators_grow_equal_trees() -> None:
    columns = np.random.default_rng(1).integers(0, 3, (30, 3)).astype(float)
    first, second = (grow(columns, columns[:, 0], drawn_rows(5, 30, 2), generator()) for _ in range(2))
    assert first.column.tolist() == second.column.tolist()
