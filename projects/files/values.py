"""Check labels and numbers of data files."""

from __future__ import annotations

import numpy as np

from projects.files.problem import DataProblem


def class_numbers(labels: np.ndarray, n_classes: int, *, place: str, way_out: str) -> np.ndarray:
    """Return labels as int64, after checking that each is a whole number (also as float) from 0 to n_classes - 1.

    Args:
        labels: of any type and shape.
        n_classes: how many classes there are.
        place: the file, and what in it; opens the message.
        way_out: ends the message.

    Raises:
        DataProblem: a label is not a number, not whole, or belongs to no class.

    Example:
        >>> class_numbers(np.array([0.0, 2.0]), 3, place="y.npy", way_out="correct it")
        array([0, 2])
    """
    if labels.dtype.kind not in "iuf":
        raise DataProblem(f"{place}: labels must be whole numbers, got {labels.dtype}; {way_out}")
    with np.errstate(invalid="ignore"):  # NaN is not whole, and in no range
        wrong = labels[~((labels >= 0) & (labels < n_classes) & (labels == np.trunc(labels)))]
    if len(wrong):
        raise DataProblem(
            f"{place}: labels of {n_classes} classes are whole numbers from 0 to {n_classes - 1}, got {wrong.flat[0]}; "
            f"{way_out}"
        )
    return labels.astype(np.int64)


def finite_numbers(values: np.ndarray, *, place: str, way_out: str) -> np.ndarray:
    """Return the values, after checking that they are finite real numbers.

    Raises:
        DataProblem: they are of another type (complex, text, objects, columns with names), or one is NaN or infinite.
    """
    if values.dtype.kind not in "biuf":
        raise DataProblem(f"{place}: must hold real numbers, got {values.dtype}; {way_out}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataProblem(f"{place}: holds NaN or an infinite number; {way_out}")
    return values


def single_precision(values: np.ndarray, *, place: str, way_out: str) -> np.ndarray:
    """Return the values as float32, after checking that they are finite as such; errors as in `finite_numbers`."""
    with np.errstate(over="ignore"):
        rounded = finite_numbers(values, place=place, way_out=way_out).astype(np.float32)
    return finite_numbers(rounded, place=f"{place}: in single precision", way_out=way_out)
