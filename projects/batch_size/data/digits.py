"""Load scikit-learn's digits: real scans that come with the library, so the default study needs no file.

1,797 handwritten digits of 8x8 pixels, 0 to 16, the test part of the UCI data set 'Optical Recognition
of Handwritten Digits' (Alpaydin and Kaynak, 1998).
"""

from __future__ import annotations

import numpy as np

from projects.batch_size.data.config import DataConfig
from projects.batch_size.data.dataset import Dataset, seal
from projects.batch_size.data.split import TEST_SEED, stratified_order
from projects.files.problem import DataProblem
from projects.files.scans import read_scans

MEAN, STD = 0.3053, 0.3760  # of all 1,797 x 64 pixels divided by 16
N_VAL = 360  # a fifth
N_TEST = 180  # a tenth


def load_digits(config: DataConfig) -> Dataset:
    """Load the digits, standardised by MEAN and STD, in a stratified split by `config.seed`.

    N_TEST rows are kept for the test, the same for every seed. If n_train asks for more than the other rows, the test
    has fewer. Validation rows depend on seed, n_val and the test rows.

    Args:
        config: name is 'digits'.

    Returns:
        Inputs (n, 64), classes 0 to 9.

    Raises:
        DataProblem: training and validation part together are larger than the data set.
    """
    pixels, labels = read_scans()
    x = (pixels / 16 - MEAN) / STD
    n_val = N_VAL if config.n_val is None else config.n_val
    n_train = len(labels) - n_val - N_TEST if config.n_train is None else config.n_train
    if n_train < 1 or n_train + n_val > len(labels):
        raise DataProblem(
            f"data.n_train and data.n_val: digits has {len(labels)} rows for both together, "
            f"got {max(n_train, 1)} + {n_val}; ask for fewer"
        )
    order = stratified_order(labels, np.random.default_rng(TEST_SEED))
    test = order[n_val + n_train : n_val + n_train + N_TEST]
    if config.seed != TEST_SEED:
        free = np.setdiff1d(np.arange(len(labels)), test)
        order = free[stratified_order(labels[free], np.random.default_rng(config.seed))]
    val, train = order[:n_val], order[n_val : n_val + n_train]
    parts = {part: (x[rows], labels[rows]) for part, rows in (("train", train), ("val", val), ("test", test))}
    return seal("digits", **parts, n_classes=10)
