"""Read CIFAR-10 from its own files, in the binary or the Python version, unpacked or as the archive.

Krizhevsky, 'Learning Multiple Layers of Features from Tiny Images' (2009): 50,000 and 10,000 photographs of 32x32.
The format (cs.toronto.edu/~kriz/cifar.html): binary files are rows of a label byte and 3,072 bytes (red, green, blue;
each by rows); Python files are pickled dictionaries with `data` (10000, 3072) and `labels`.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from projects.files.archive import read_tar
from projects.files.download import download, write_atomically
from projects.files.pickled import read_pickle
from projects.files.pickled_arrays import ARRAYS, array_of
from projects.files.problem import DataProblem
from projects.files.reading import given_path, is_folder, is_there, listed, read_bytes, reading
from projects.files.values import class_numbers
from projects.image_classifier.data.config import DataConfig, data_folder
from projects.image_classifier.data.dataset import ImageSet, Part, seal
from projects.image_classifier.data.split import take

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32  # pixels
N_BYTES = 3 * SIDE * SIDE
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"  # as the page of the data set states it
ARCHIVES = ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz")
# Part -> names of its files, in the binary and in the Python version.
FILES = {
    "train": [(f"data_batch_{index}.bin", f"data_batch_{index}") for index in range(1, 6)],
    "val": [("test_batch.bin", "test_batch")],
}
MOST_BYTES = 64 << 20  # of one file; the real ones have 31 MB
_WAY_OUT = "run: mlflow run . -e prepare_data -P dataset=cifar10 -P source=DIR"


def load_cifar10(config: DataConfig) -> ImageSet:
    """Load CIFAR-10 from a folder; its test batch is the validation part, scaled if `image_size` is not 32.

    Args:
        config: name is 'cifar10'; `path` is the folder, data/cifar10 where it is None.

    Raises:
        DataProblem: a file is missing or damaged, or more images are asked for than there are.
    """
    folder = data_folder(config)
    parts = {}
    for name, files in FILES.items():
        batches = [_read_batch(folder, *names) for names in files]
        part = Part(np.concatenate([b.images for b in batches]), np.concatenate([b.labels for b in batches]))
        n = config.n_train if name == "train" else config.n_val
        part = take(part, n, seed=config.seed, field=f"n_{name}", source=str(folder))
        parts[name] = _scaled(part, config.image_size)
    return seal(str(folder), parts, CLASSES)


def prepare_cifar10(*, source: str | None = None, target: Path | None = None, url: str = URL, md5: str = MD5) -> Path:
    """Put CIFAR-10's files into a folder: downloaded, or taken from an archive or a folder; each is read once.

    Args:
        source: the archive (binary or Python version), a folder that holds it or its unpacked files, or a web
            address of the binary archive; None downloads from the author's page.
        target: the folder to fill; data/cifar10 where it is None.
        url: where None downloads from.
        md5: of the archive that is downloaded.

    Raises:
        DataProblem: a file is missing or damaged, or the server does not hand it out.
    """
    target = target or data_folder(DataConfig(name="cifar10"))
    if source is None or source.startswith(("http://", "https://")):
        place = download(source or url, target / ARCHIVES[0], checksum=md5)
    else:
        place = given_path(source)
        if is_folder(place, way_out=_WAY_OUT):
            inside = (place / name for name in ARCHIVES)
            place = next((path for path in inside if is_there(path, way_out=_WAY_OUT)), place)
    members = _from_folder(place) if is_folder(place, way_out=_WAY_OUT) else _from_archive(place)
    for names in (names for files in FILES.values() for names in files):
        name = next((name for name in names if name in members), None)
        if name is None:
            raise DataProblem(f"{place}: has neither {names[0]} nor {names[1]}; give CIFAR-10's archive or its files")
        _parse(members[name], place / name, is_binary=name.endswith(".bin"))
        write_atomically(target / name, members[name])
    return target


def _from_archive(path: Path) -> dict[str, bytes]:
    """The batch files of an archive, whatever folder they lie in; nothing is unpacked to disk."""
    return read_tar(path, _wanted(), most=MOST_BYTES, way_out="get the archive again")


def _from_folder(folder: Path) -> dict[str, bytes]:
    paths = [path for path in listed(folder, "**/*", way_out=_WAY_OUT) if path.name in _wanted()]
    return {path.name: read_bytes(path, way_out=_WAY_OUT, most=MOST_BYTES) for path in paths}


def _wanted() -> set[str]:
    return {name for files in FILES.values() for names in files for name in names}


def _read_batch(folder: Path, *names: str) -> Part:
    for name in names:
        path = folder / name
        if is_there(path, way_out=_WAY_OUT):
            content = read_bytes(path, way_out=_WAY_OUT, most=MOST_BYTES)
            return _parse(content, path, is_binary=name.endswith(".bin"))
    raise DataProblem(f"{folder / names[0]}: is not there, and no {names[1]} either; {_WAY_OUT} (or without a source)")


def _parse(data: bytes, path: Path, *, is_binary: bool) -> Part:
    """The images and labels of one file's bytes."""
    pixels, labels = _parse_binary(data, path) if is_binary else _parse_python(data, path)
    numbers = class_numbers(labels, len(CLASSES), place=str(path), way_out="get the file again")
    return Part(pixels.reshape(-1, 3, SIDE, SIDE).copy(), numbers)


def _parse_binary(data: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not data or len(data) % (N_BYTES + 1):
        reason = f"{len(data)} bytes are not a whole number of rows of {N_BYTES + 1}"
        raise DataProblem(f"{path}: {reason}; get the file again")
    rows = np.frombuffer(data, np.uint8).reshape(-1, N_BYTES + 1)
    return rows[:, 1:], rows[:, 0]


def _parse_python(data: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    with reading(path, way_out="get the file again"):
        batch = read_pickle(io.BytesIO(data), ARRAYS)
        pixels, labels = array_of(batch[b"data"]), array_of(batch[b"labels"])
    if pixels.dtype != np.uint8 or labels.ndim != 1 or pixels.shape != (len(labels), N_BYTES):
        raise DataProblem(
            f"{path}: has {pixels.dtype}{list(pixels.shape)} pixels for labels of shape {labels.shape}, CIFAR-10 has "
            f"uint8 rows of {N_BYTES}; get the file again"
        )
    return pixels, labels


def _scaled(part: Part, side: int) -> Part:
    if side == SIDE:
        return part
    images = [Image.fromarray(image.transpose(1, 2, 0)) for image in part.images]
    scaled = [np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)) for image in images]
    return Part(np.stack(scaled).transpose(0, 3, 1, 2).copy(), part.labels)
