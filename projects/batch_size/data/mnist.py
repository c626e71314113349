"""Read and prepare MNIST: 60,000 and 10,000 scans of handwritten digits in four IDX files.

LeCun, Cortes, Burges, 'The MNIST database of handwritten digits'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from projects.batch_size.data.config import DataConfig, data_folder
from projects.batch_size.data.dataset import Dataset, seal
from projects.batch_size.data.split import choose_rows, train_and_test
from projects.files.download import download, write_atomically
from projects.files.idx import read_idx
from projects.files.problem import DataProblem
from projects.files.reading import given_path, is_same, is_there, read_bytes, read_unpacked
from projects.files.values import class_numbers

MEAN, STD = 0.1307, 0.3081  # of the 60,000 training images divided by 255
N_CLASSES = 10
SIDE = 28  # pixels
MOST_TEST_ROWS = 10_000  # an accuracy over so many has a standard error below 0.5 %
URLS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# Name of each file and the md5 of its unpacked bytes: of a file packed anew only the packing differs.
FILES = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
# The md5 of the .gz files as the two servers hand them out.
PACKED = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}
_WAY_OUT = "run: mlflow run . -e prepare_data -P dataset=mnist -P source=DIR"


def load_mnist(config: DataConfig) -> Dataset:
    """Load MNIST from a folder, flattened, standardised by MEAN and STD; the t10k files are the validation part.

    The test part has training rows that n_train leaves, at most MOST_TEST_ROWS, the same for every `config.seed`. It is
    empty if n_train is not given.

    Args:
        config: name is 'mnist'; `path` is the folder, data/mnist where it is None.

    Returns:
        Inputs (n, 784), classes 0 to 9, rows in the order of the files.

    Raises:
        DataProblem: a file is missing or damaged, or more rows are asked for than there are.
    """
    folder = data_folder(config)
    parts = []
    for stem, field in (("train", "n_train"), ("t10k", "n_val")):
        images, labels = _read_part(folder, stem)
        how = {"seed": config.seed, "field": field, "source": str(folder)}
        if stem == "train":
            rows, rest = train_and_test(labels, config.n_train, most=MOST_TEST_ROWS, **how)
            test = standardize(images[rest]), labels[rest]
        else:
            rows = choose_rows(labels, config.n_val, **how)
        parts.append((standardize(images[rows]), labels[rows]))
    return seal("mnist", train=parts[0], val=parts[1], test=test, n_classes=N_CLASSES)


def standardize(images: np.ndarray) -> np.ndarray:
    """Turn bytes (n, 28, 28) into float32 (n, 784): divided by 255, less MEAN, divided by STD."""
    x = images.reshape(len(images), SIDE * SIDE).astype(np.float32)
    x /= 255
    x -= MEAN
    x /= STD
    return x


def prepare_mnist(
    source: str | None,
    target: Path,
    *,
    url: str | None = None,
    files: Mapping[str, str] = FILES,
    packed: Mapping[str, str] = PACKED,
) -> Path:
    """Put the four files into a folder: copied, or downloaded; each is checked before it takes its name.

    Args:
        source: folder that holds the files, packed or raw; a web address that they stand under; or
            None (or empty) to download from URLS.
        target: the folder to fill; made where it is missing.
        url: address to download from in place of URLS.
        files: name of each file and md5 of its unpacked bytes.
        packed: name of each file and md5 of its .gz.

    Returns:
        The target folder.

    Raises:
        DataProblem: a file is missing, damaged or not MNIST's, or no server hands it out.
    """
    if source and not source.startswith(("http://", "https://")):
        folder = given_path(source)
        for name, md5 in files.items():
            _copy(folder, name, md5, target)
        return target
    addresses = [url or source] if url or source else list(URLS)
    for name in files:
        _fetch([f"{str(address).rstrip('/')}/{name}.gz" for address in addresses], packed[name], target)
    return target


def _copy(folder: Path, name: str, md5: str, target: Path) -> None:
    path = _find(folder, name)
    way_out = "get the file again, or leave out the source to download it"
    found = hashlib.md5(read_unpacked(path, way_out=way_out), usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataProblem(f"{path}: its content has the md5 {found}, MNIST's has {md5}; {way_out}")
    destination = target / (name + path.suffix if path.suffix == ".gz" else name)
    if not is_same(destination, path):
        write_atomically(destination, read_bytes(path, way_out=way_out))


def _fetch(addresses: Sequence[str], md5: str, target: Path) -> None:
    """Download one file from the first address that hands out the right bytes."""
    reasons = []
    for address in addresses:
        try:
            download(address, target / address.rsplit("/", 1)[1], checksum=md5)
            return
        except DataProblem as problem:
            reasons.append(str(problem))
    raise DataProblem(f"{' | '.join(reasons)}; or copy the four files by hand and {_WAY_OUT}")


def _read_part(folder: Path, stem: str) -> tuple[np.ndarray, np.ndarray]:
    image_path = _find(folder, f"{stem}-images-idx3-ubyte")
    label_path = _find(folder, f"{stem}-labels-idx1-ubyte")
    images = read_idx(image_path, way_out=_WAY_OUT)
    labels = read_idx(label_path, way_out=_WAY_OUT)
    if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE):
        raise DataProblem(
            f"{image_path}: expected bytes of shape (n, 28, 28), got {images.dtype} {images.shape}; {_WAY_OUT}"
        )
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        raise DataProblem(
            f"{label_path}: expected {len(images)} labels, as {image_path.name} holds that many images, "
            f"got {labels.dtype} {labels.shape}; {_WAY_OUT}"
        )
    return images, class_numbers(labels, N_CLASSES, place=str(label_path), way_out=_WAY_OUT)


def _find(folder: Path, name: str) -> Path:
    """The file, raw or packed, under either usual spelling: x-images-idx3-ubyte, x-images.idx3-ubyte."""
    spellings = [name, name.replace("-idx", ".idx")]
    for spelling in spellings:
        for suffix in ("", ".gz"):
            path = folder / (spelling + suffix)
            if is_there(path, way_out=_WAY_OUT):
                return path
    raise DataProblem(f"{folder}: holds neither {spellings[0]}[.gz] nor {spellings[1]}[.gz]; {_WAY_OUT}")
