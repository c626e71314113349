"""Choose training and validation rows by one stratified, seeded rule for every data set."""

from __future__ import annotations

import numpy as np

from projects.files.problem import DataProblem

VALIDATION_SHARE = 0.1  # of the training rows, where the config names no number


def split_rows(
    labels: np.ndarray, *, n_train: int | None, n_validation: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose training and validation rows, each class in proportion to about one row.

    Validation depends on the labels, `n_validation` and the seed only, not on `n_train`, and the rows of a smaller
    `n_train` are among those of a larger one.

    Args:
        labels: class of each row of the source's training part, (row,).
        n_train: rows to train on; None: all others.
        n_validation: rows for validation; None: a tenth, at least one.
        seed: of the choice.

    Returns:
        Row numbers of training and of validation, each ascending, int64.

    Raises:
        DataProblem: there is only one class, or there are fewer rows than are asked for.
    """
    n_classes = len(np.unique(labels))
    if n_classes < 2:
        raise DataProblem(
            f"data: the {len(labels)} training rows have {n_classes} class; a classifier needs two or more: add images"
        )
    n_kept = max(1, round(VALIDATION_SHARE * len(labels))) if n_validation is None else n_validation
    n_left = len(labels) - n_kept
    if n_left < 1 or (n_train or 1) > n_left:
        raise DataProblem(
            f"data.n_train and data.n_validation: there are {len(labels)} rows for both, but {n_train or 1} or "
            f"more and {n_kept} are asked for; ask for fewer"
        )
    order = stratified_order(labels, np.random.default_rng(seed))
    chosen = order[n_kept:] if n_train is None else order[n_kept : n_kept + n_train]
    return np.sort(chosen), np.sort(order[:n_kept])


def stratified_order(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random order of rows in which every stretch has each class in proportion, to about one row.

    The i-th row of a class with n rows is at (i + 1/2) / n of the way; rows at the same place are in random order.
    """
    shuffled = rng.permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels[shuffled] == label)
        place[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
    return shuffled[np.argsort(place, kind="stable")]
