"""Load MNIST-1M, a million digits sampled from a diffusion model trained on MNIST, from one prepared file.

Atanasov, Meterez, Simon, Pehlevan, arXiv:2410.04642, made them to come close to online training. `mnist1m_prepare`
makes the file once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from projects.batch_size.data.config import DataConfig, data_folder
from projects.batch_size.data.dataset import Dataset, seal
from projects.batch_size.data.mnist import MOST_TEST_ROWS, N_CLASSES, SIDE, standardize
from projects.batch_size.data.split import choose_rows, train_and_test
from projects.files.arrays import StoredArray, open_array
from projects.files.problem import DataProblem
from projects.files.reading import given_path, is_there
from projects.files.values import class_numbers

FILE_NAME = "mnist1m.npz"
WAY_OUT = "run: mlflow run . -e prepare_data -P dataset=mnist1m -P source=DIR"
_ROW_SHAPES = ((SIDE, SIDE), (1, SIDE, SIDE), (SIDE * SIDE,))


def load_mnist1m(config: DataConfig) -> Dataset:
    """Load MNIST-1M from mnist1m.npz, flattened, standardised by MNIST's mean and standard deviation.

    The test part has training rows that n_train leaves, at most MOST_TEST_ROWS. It is empty if n_train is not given.

    Images are read in blocks and only the chosen rows are kept: memory is that of the result
    (3.1 kB a row) and 16 MB. The whole set is 3 GB.

    Args:
        config: name is 'mnist1m'; `path` is the file or its folder, data/mnist1m where it is None.

    Returns:
        Inputs (n, 784), classes 0 to 9, rows in the order of the file, which preparation shuffles.

    Raises:
        DataProblem: the file is missing or damaged, or more rows are asked for than there are.
    """
    path = prepared_path(data_folder(config))
    if not is_there(path, way_out=WAY_OUT):
        raise DataProblem(f"{path}: there is no such file; {WAY_OUT}")
    parts = []
    for part, field in (("train", "n_train"), ("test", "n_val")):
        images, labels = _open_part(path, part)
        how = {"seed": config.seed, "field": field, "source": str(path)}
        if part == "train":
            rows, rest = train_and_test(labels, config.n_train, most=MOST_TEST_ROWS, **how)
            test = _read_rows(images, rest) if len(rest) else np.empty((0, SIDE * SIDE)), labels[rest]
        else:
            rows = choose_rows(labels, config.n_val, **how)
        parts.append((_read_rows(images, rows), labels[rows]))
    return seal("mnist1m", train=parts[0], val=parts[1], test=test, n_classes=N_CLASSES)


def prepare_mnist1m(source: str | None, target: Path) -> Path:
    """Write mnist1m.npz with X_train, y_train, X_test, y_test (bytes; images n x 28 x 28).

    The test part is a stratified choice by seed 42 of 50,000 rows, or of a tenth of the rows (at least
    one) where the source has fewer than 500,000. Both parts are shuffled. Equal sources give equal files.
    Images pass through memory in blocks; the disk needs twice the size of the result meanwhile.

    Args:
        source: folder with class_<k>_images.zip, or with MNIST_images_<k>.npz and MNIST_labels_<k>,
            k = 0 to 9.
        target: the file to write, ending in .npz, or its folder; made where it is missing.

    Returns:
        The file, which takes its name when it is complete.

    Raises:
        DataProblem: no source is given, a part of it is missing or damaged, or the target cannot be written.
    """
    if not source:
        raise DataProblem(f"mnist1m: no source is given, and it cannot be downloaded; {WAY_OUT}")
    from projects.batch_size.data.mnist1m_prepare import write_mnist1m  # an image library, for this only

    path = prepared_path(target)
    write_mnist1m(given_path(source), path)
    return path


def prepared_path(place: Path) -> Path:
    """Return the prepared file of a place that names it or its folder."""
    return place if place.suffix == ".npz" else place / FILE_NAME


def _open_part(path: Path, part: str) -> tuple[StoredArray, np.ndarray]:
    images = open_array(path, f"X_{part}", way_out=WAY_OUT)
    stored_labels = open_array(path, f"y_{part}", way_out=WAY_OUT)
    if images.dtype != np.uint8 or images.shape[1:] not in _ROW_SHAPES:
        raise DataProblem(
            f"{path}: X_{part} must hold bytes of shape (n, 28, 28), got {images.dtype} {images.shape}; {WAY_OUT}"
        )
    if stored_labels.dtype.kind not in "iu" or stored_labels.shape != images.shape[:1]:
        raise DataProblem(
            f"{path}: y_{part} must hold {images.shape[0]} whole numbers, one for each row of X_{part}, "
            f"got {stored_labels.dtype} {stored_labels.shape}; {WAY_OUT}"
        )
    return images, class_numbers(stored_labels.read(), N_CLASSES, place=f"{path}: y_{part}", way_out=WAY_OUT)


def _read_rows(images: StoredArray, rows: np.ndarray) -> np.ndarray:
    """Standardised images of the rows, given in ascending order: float32 (len(rows), 784)."""
    x = np.empty((len(rows), SIDE * SIDE), np.float32)
    for block, start in _with_start(images.blocks()):
        low, high = np.searchsorted(rows, (start, start + len(block)))
        x[low:high] = standardize(block[rows[low:high] - start])
    return x


def _with_start(blocks: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
    start = 0
    for block in blocks:
        yield block, start
        start += len(block)
