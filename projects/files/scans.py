"""Read the handwritten digits of scikit-learn from its file, because importing scikit-learn takes a second."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from projects.files.reading import open_unpacked


def read_scans() -> tuple[np.ndarray, np.ndarray]:
    """Read what `sklearn.datasets.load_digits(return_X_y=True)` gives.

    Pixels (1797, 64) are 0 to 16, digits (1797,).
    """
    spec = find_spec("sklearn")
    folder = Path(spec.origin).parent if spec is not None and spec.origin is not None else Path()
    file = folder / "datasets" / "data" / "digits.csv.gz"
    if not file.is_file():  # another scikit-learn keeps it elsewhere, or there is none, which this says
        from sklearn.datasets import load_digits

        pixels, digits = load_digits(return_X_y=True)
        return np.asarray(pixels), np.asarray(digits)
    with open_unpacked(file, way_out="install scikit-learn again") as lines:
        rows = np.loadtxt(lines, delimiter=",", encoding="utf-8")
    return rows[:, :-1], rows[:, -1].astype(int)
