"""Read MNIST: 60,000 and 10,000 scans of handwritten digits in four IDX files.

LeCun, Cortes, Burges, 'The MNIST database of handwritten digits'.
"""

from __future__ import annotations

from projects.emnist_mlp.data.config import DataConfig, data_folder
from projects.emnist_mlp.data.dataset import DIGITS, Source
from projects.emnist_mlp.data.idx_rows import read_rows

WAY_OUT = "run: mlflow run . -e prepare_data -P dataset=mnist, or set data.path"


def read_mnist(config: DataConfig) -> Source:
    """Read MNIST from a folder; the t10k files are the test part.

    Raises:
        DataProblem: a file is missing or damaged.
    """
    train, test = (
        read_rows(data_folder(config), stem, classes=DIGITS, is_transposed=False, way_out=WAY_OUT)
        for stem in ("train", "t10k")
    )
    return Source("mnist", train, test, DIGITS)
