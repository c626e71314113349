"""Read and prepare EMNIST Balanced: 47 classes of handwritten characters, from IDX or Matlab files.

Cohen, Afshar, Tapson, van Schaik, 'EMNIST: an extension of MNIST to handwritten letters', arXiv:1702.05373. Both kinds
of file have each image with lines and columns exchanged.
"""

from __future__ import annotations

from pathlib import Path

from projects.emnist_mlp.data.config import DataConfig, data_folder
from projects.emnist_mlp.data.dataset import BALANCED_CLASSES, SIDE, Rows, Source
from projects.emnist_mlp.data.idx_rows import checked_rows, find_idx, read_rows
from projects.files.archive import open_zip, read_member
from projects.files.download import download, write_atomically
from projects.files.matlab import read_matlab
from projects.files.problem import DataProblem
from projects.files.reading import (
    given_path,
    is_folder,
    is_same,
    is_there,
    listed,
    read_bytes,
)

URL = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
MD5 = "58c8d27c78d21e728a6bc7b3cc06412e"  # of the archive, as torchvision publishes it
WAY_OUT = "run: mlflow run . -e prepare_data -P dataset=emnist (500 MB), or set data.path to a folder that holds them"
_TRAIN_IMAGES = "balanced-train-images"
_MAT = "emnist-balanced.mat"
_MOST_MEMBER_BYTES = 256 << 20  # the largest of the four has 88 MB as it is, and is packed
_MEMBERS = tuple(
    f"emnist-balanced-{part}-{kind}.gz"
    for part in ("train", "test")
    for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
)


def read_emnist(config: DataConfig) -> Source:
    """Read EMNIST Balanced from a folder that holds its IDX files (raw or .gz) or emnist-balanced.mat.

    Raises:
        DataProblem: files are missing or damaged, or the folder holds several sets.
    """
    return read_folder(data_folder(config))


def read_folder(folder: Path) -> Source:
    """Read as `read_emnist`, of a folder."""
    stem = _stem(folder)
    if stem is None:
        return _read_mat(folder / _MAT)
    train, test = (
        read_rows(folder, f"{stem}-{part}", classes=BALANCED_CLASSES, is_transposed=True, way_out=WAY_OUT)
        for part in ("train", "test")
    )
    return Source("emnist", train, test, BALANCED_CLASSES)


def _stem(folder: Path) -> str | None:
    """How the names of a folder's IDX files begin; None where there is the Matlab file instead."""
    stems = sorted({path.name.split("-train-")[0] for path in listed(folder, f"*{_TRAIN_IMAGES}*", way_out=WAY_OUT)})
    if len(stems) > 1:
        raise DataProblem(
            f"{folder}: holds training images of several sets, {', '.join(stems)}; leave one of them there"
        )
    if not stems and not is_there(folder / _MAT, way_out=WAY_OUT):
        raise DataProblem(f"{folder}: holds neither *{_TRAIN_IMAGES}-idx3-ubyte[.gz] nor {_MAT}; {WAY_OUT}")
    return stems[0] if stems else None


def _read_mat(path: Path) -> Source:
    """The published Matlab layout: dataset.train.images (n, 784), dataset.train.labels (n, 1), and of test."""
    names = [f"dataset.{part}.{kind}" for part in ("train", "test") for kind in ("images", "labels")]
    arrays = read_matlab(path, names, way_out=WAY_OUT)

    def rows(part: str) -> Rows:
        images, labels = arrays[f"dataset.{part}.images"], arrays[f"dataset.{part}.labels"]
        if images.ndim == 2 and images.shape[1] == SIDE * SIDE:
            images = images.reshape(-1, SIDE, SIDE)
        places = (f"{path}: dataset.{part}.images", f"{path}: dataset.{part}.labels")
        how = {"classes": BALANCED_CLASSES, "is_transposed": True, "places": places, "way_out": WAY_OUT}
        return checked_rows(images, labels.reshape(-1), **how)

    return Source("emnist", rows("train"), rows("test"), BALANCED_CLASSES)


def prepare_emnist(source: str | None, target: Path, *, url: str = URL, md5: str = MD5) -> Path:
    """Put the four files of EMNIST Balanced into a folder: from another folder, an archive, or downloaded.

    Args:
        source: folder that holds the files; the downloaded gzip.zip; an address of it; or None to download it.
        target: the folder to fill; made where it is missing.
        url: the archive's address where there is no source.
        md5: of the archive.

    Returns:
        The target folder, whose files have been read.

    Raises:
        DataProblem: a file is missing or damaged, or the archive cannot be had or is another one.
    """
    if source and not source.startswith(("http://", "https://")):
        path = given_path(source)
        if is_folder(path, way_out=WAY_OUT):
            _copy(path, target)
        else:
            _unpack(path, target)
    elif not all(is_there(target / name, way_out=WAY_OUT) for name in _MEMBERS):
        archive = download(source or url, target / "gzip.zip", checksum=md5)
        _unpack(archive, target)
        archive.unlink()
    read_folder(target)
    return target


def _copy(folder: Path, target: Path) -> None:
    read_folder(folder)
    if is_same(target, folder):
        return
    stem = _stem(folder)
    names = [
        f"{stem}-{part}-{kind}" for part in ("train", "test") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ]
    for path in [folder / _MAT] if stem is None else [find_idx(folder, name, way_out=WAY_OUT) for name in names]:
        if path is not None:
            write_atomically(target / path.name, read_bytes(path, way_out=WAY_OUT))


def _unpack(archive: Path, target: Path) -> None:
    """Take the four files out of the archive, which holds them in a folder of its own beside other sets."""
    way_out = "get it again, or leave out the source to download it"
    with open_zip(archive, way_out=way_out) as packed:
        by_name = {Path(name).name: name for name in packed.namelist()}
        if missing := [name for name in _MEMBERS if name not in by_name]:
            raise DataProblem(f"{archive}: holds no {missing[0]}; {way_out}")
        for name in _MEMBERS:
            write_atomically(target / name, read_member(packed, by_name[name], most=_MOST_MEMBER_BYTES))
