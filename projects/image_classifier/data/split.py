"""Choose rows, stratified and seeded, by scikit-learn, by one rule for every data set."""

from __future__ import annotations

import numpy as np

from projects.files.problem import DataProblem
from projects.image_classifier.data.dataset import Part


def take(part: Part, n: int | None, *, seed: int, field: str, source: str) -> Part:
    """Take a stratified choice of `n` rows of a part in their old order; all for None.

    Raises:
        DataProblem: more rows are asked for than there are, or fewer than there are classes.
    """
    if n is None or n == len(part.labels):
        return part
    if n > len(part.labels):
        raise DataProblem(f"data.{field}: {source} has {len(part.labels)} images, got {n}; ask for at most that many")
    rows, _ = split_rows(part.labels, n, seed=seed, field=f"data.{field}", source=source)
    return Part(part.images[rows], part.labels[rows])


def split_rows(
    labels: np.ndarray, n_first: int, *, seed: int, field: str, source: str
) -> tuple[np.ndarray, np.ndarray]:
    """Cut rows in two, each class in proportion; both in ascending order.

    Args:
        labels: class of each row, (row,).
        n_first: rows of the first part; the second has all others.
        seed: equal seeds cut equally.
        field: the setting that asked, for the message.
        source: the data set, for the message.

    Raises:
        DataProblem: a part would have fewer rows than there are classes, or a class has a single row.
    """
    from sklearn.model_selection import train_test_split  # a second to import, so only where it is used

    rows, counts = np.arange(len(labels)), np.unique(labels, return_counts=True)[1]
    if min(n_first, len(labels) - n_first) < len(counts):
        raise DataProblem(
            f"{field}: of the {len(labels)} images of {source}, {n_first} and {len(labels) - n_first} would be two "
            f"parts of {len(counts)} classes, and each needs one of each class; ask for other sizes"
        )
    if counts.min() < 2:
        raise DataProblem(f"{field}: {source} has a class with one image, which cannot be in two parts; add images")
    first, second = train_test_split(rows, train_size=n_first, stratify=labels, random_state=seed)
    return np.sort(first), np.sort(second)
