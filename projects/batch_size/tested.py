"""Measure a trained model on test rows once, at the end, in NumPy."""

from __future__ import annotations

from typing import Literal

import numpy as np

from projects.batch_size.data import Dataset
from projects.batch_size.trained import TrainedModel

CHUNK_ROWS = 4096  # at a time; bounds memory


def metrics_on_test_rows(model: TrainedModel, data: Dataset, loss: Literal["cross_entropy", "mse"]) -> dict[str, float]:
    """Return test/loss and, if there are classes, test/accuracy; empty if the data have no test rows.

    The losses are those of training: mean cross-entropy, or the mean over rows and outputs of squared differences,
    from one-hot rows if there are classes.
    """
    if data.test_x is None or data.test_y is None:
        return {}
    starts = range(0, len(data.test_x), CHUNK_ROWS)
    with np.errstate(over="ignore", invalid="ignore"):  # a model that nearly diverged has no finite loss
        out = np.concatenate([model.predict(data.test_x[start : start + CHUNK_ROWS]) for start in starts])
        found = {"test/loss": _loss(out.astype(np.float64), data, loss)}
    if data.n_classes is not None:
        found["test/accuracy"] = float(np.mean(out.argmax(axis=1) == data.test_y))
    return found


def _loss(out: np.ndarray, data: Dataset, loss: str) -> float:
    target = data.test_y if data.n_classes is None else np.eye(data.n_classes)[data.test_y]  # (row, output)
    if loss == "mse":
        return float(np.mean((out - target) ** 2))
    shifted = out - out.max(axis=1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-np.mean((log_probability * target).sum(axis=1)))
