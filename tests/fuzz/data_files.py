"""Kinds of data files, as the readers of the studies take them: a case is a folder of files, one of them changed."""

from __future__ import annotations

import functools
import gzip
import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from projects.files.problem import DataProblem
from tests.fuzz.harness import FaultError, Kind
from tests.fuzz.made import check_finite, check_labels, idx, npy, npz
from tests.fuzz.packed import Files, mutate_one

SIDE = 28


def _images(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, SIDE, SIDE)).astype(np.uint8)


def _idx_folders() -> list[Files]:
    labels, stems = np.arange(20) % 10, ("train", "t10k")
    raw = {f"{stem}-images-idx3-ubyte": idx(_images(20)) for stem in stems}
    raw |= {f"{stem}-labels-idx1-ubyte": idx(labels) for stem in stems}
    floats = raw | {f"{stem}-labels-idx1-ubyte": idx(labels, 0x0D) for stem in stems}
    return [raw, floats, {f"{name}.gz": gzip.compress(data, 1, mtime=0) for name, data in raw.items()}]


def _read_idx(folder: Path) -> None:
    from projects.emnist_mlp.data.config import DataConfig
    from projects.emnist_mlp.data.mnist import read_mnist

    source = read_mnist(DataConfig(name="mnist", path=str(folder)))
    for rows in (source.train, source.test):
        check_labels(rows.y, 10)


def _matlab_folders() -> list[Files]:
    from scipy.io import savemat

    found = []
    for is_packed in (True, False):
        rows = {"images": _images(10).reshape(10, -1), "labels": np.arange(10).reshape(-1, 1)}
        out = io.BytesIO()
        savemat(out, {"dataset": {"train": rows, "test": rows}}, do_compression=is_packed)
        dated = out.getvalue()
        found.append({"emnist-balanced.mat": b"MATLAB 5.0 MAT-file".ljust(116) + dated[116:]})  # equal at any time
    return found


def _read_matlab(folder: Path) -> None:
    from projects.emnist_mlp.data.emnist import read_folder

    source = read_folder(folder)
    for rows in (source.train, source.test):
        check_labels(rows.y, 47)


def _emnist_archives() -> list[Files]:
    out = io.BytesIO()
    parts = {"images-idx3-ubyte": idx(_images(10)), "labels-idx1-ubyte": idx(np.arange(10))}
    with zipfile.ZipFile(out, "w") as archive:
        for part in ("train", "test"):
            for kind, data in parts.items():
                archive.writestr(f"gzip/emnist-balanced-{part}-{kind}.gz", gzip.compress(data, 1, mtime=0))
    return [{"gzip.zip": out.getvalue()}]


def _read_emnist_archive(folder: Path) -> None:
    from projects.emnist_mlp.data.emnist import prepare_emnist

    prepare_emnist(str(folder / "gzip.zip"), folder / "out")


def _mnist1m_files() -> list[Files]:
    half = {"X_train": _images(20), "y_train": np.arange(20) % 10}
    return [{"mnist1m.npz": npz(**half, X_test=_images(10), y_test=np.arange(10))}]


def _read_mnist1m(folder: Path) -> None:
    from projects.batch_size.data.config import DataConfig
    from projects.batch_size.data.mnist1m import load_mnist1m

    data = load_mnist1m(DataConfig(name="mnist1m", path=str(folder), n_train=10))
    check_finite((data.train_x, data.val_x))
    check_labels(data.train_y, 10)


def _picture(kind: str, side: int = SIDE, mode: str = "RGB") -> bytes:
    from PIL import Image

    out = io.BytesIO()
    grey = Image.fromarray(np.arange(side * side, dtype=np.uint32).astype(np.uint8).reshape(side, side))
    grey.convert(mode).save(out, kind)
    return out.getvalue()


def _mnist1m_parts() -> list[Files]:
    archives, chunks = {}, {}
    for k in range(10):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(f"{k}.png", _picture("PNG", mode="L"))
            archive.writestr(f"{k}.jpg", _picture("JPEG", mode="L"))
        archives[f"class_{k}_images.zip"] = out.getvalue()
        chunks[f"MNIST_images_{k}.npz"] = npz(arr_0=(_images(4) / 255).astype(np.float32).reshape(4, 1, SIDE, SIDE))
        chunks[f"MNIST_labels_{k}.npy"] = npy(np.arange(4))
    return [archives, chunks]


def _read_mnist1m_parts(folder: Path) -> None:
    from projects.batch_size.data.mnist1m_sources import open_source

    source = open_source(folder)
    check_labels(source.labels, 10)
    if sum(len(block) for block in source.blocks()) != len(source.labels):
        raise FaultError("there are more or fewer images than labels")


def _shapes_folders() -> list[Files]:
    rng = np.random.default_rng(0)
    labels = np.column_stack([np.arange(4) % 3, rng.random((4, 11))]).astype(np.float32)
    table = np.zeros(
        64, [(name, "f8") for name in ("size_normalized", "size_bin", "random_bin", "xor_target_normalized")]
    )
    table["size_bin"], table["random_bin"] = np.arange(64) % 8, np.arange(64) // 8
    table["size_normalized"] = table["size_bin"] / 7
    table["xor_target_normalized"] = (table["size_bin"] + table["random_bin"]) % 8 / 7
    rows = "\n".join(",".join(map(repr, map(float, row))) for row in table.tolist())
    pictures = {f"val/{row}.png": _picture("PNG", side=32) for row in range(4)}
    shared = {"val_labels.npy": npy(labels), **pictures, "train_visual_features.npy": npy(rng.random((64, 2, 6)))}
    shared["train_labels_nosize.npy"] = npy(np.column_stack([np.arange(64) % 3, rng.random((64, 7))]))
    as_csv = {"train_xor_targets.csv": (",".join(table.dtype.names or ()) + "\n" + rows + "\n").encode()}
    return [{**shared, "train_xor_targets.npy": npy(table)}, {**shared, **as_csv}]


def _read_shapes(folder: Path) -> None:
    from projects.global_workspace.data.config import DataConfig
    from projects.global_workspace.data.folder import read_images, read_labels
    from projects.global_workspace.data.labels import attribute_vectors
    from projects.global_workspace.data.xor_targets import read_part

    check_finite([attribute_vectors(read_labels(folder, "val")), read_images(folder, "val", 4)])
    split = read_part(DataConfig(name="xor_targets", path=str(folder), n_bins=8), "train")
    check_finite([*split.domains.values(), split.synergy])


def _cifar_folders() -> list[Files]:
    pixels, labels = np.zeros((10, 3072), np.uint8), list(range(10))
    rows = np.hstack([np.arange(10, dtype=np.uint8)[:, None], pixels]).tobytes()
    python = pickle.dumps({b"data": pixels, b"labels": labels}, protocol=2)
    names = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
    binary = {f"{name}.bin": rows for name in names}
    pickled = dict.fromkeys(names, python)
    packed = [{"cifar-10-binary.tar.gz": _tar_gz(binary)}, {"cifar-10-python.tar.gz": _tar_gz(pickled)}]
    return [binary, pickled, *packed]


def _tar_gz(files: Files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"cifar-10/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), 1, mtime=0)


def _read_cifar(folder: Path) -> None:
    from projects.image_classifier.data.cifar10 import load_cifar10, prepare_cifar10
    from projects.image_classifier.data.config import DataConfig

    target = prepare_cifar10(source=str(folder), target=folder / "out")
    images = load_cifar10(DataConfig(name="cifar10", path=str(target)))
    check_labels(images.train.labels, 10)


def _pictures() -> list[Files]:
    kinds = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
    return [{f"p.{kind.lower()}": _picture(kind)} for kind in kinds] + [{"p.png": _picture("PNG", mode="P")}]


def _read_picture(folder: Path) -> None:
    from projects.image_classifier.data.decode import decode_image

    for path in sorted(folder.iterdir()) or [folder / "none.png"]:
        found = decode_image(path, 16)
        if isinstance(found, DataProblem):
            raise found
        if found.shape != (3, 16, 16) or found.dtype != np.uint8:
            raise FaultError(f"a picture of {found.dtype} {found.shape}")


def _token_folders() -> list[Files]:
    from projects.language_model.data.vocabulary import train_vocabulary

    tokenizer = train_vocabulary(["a cat sat on a mat", "the dog ran to the cat"] * 9, 270, source="fuzz")
    model = json.loads(tokenizer.to_str())["model"]
    tokens = np.random.default_rng(0).integers(0, 270, 200)
    merges = "\n".join(" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"])
    two = {"vocab.json": json.dumps(model["vocab"]).encode(), "merges.txt": merges.encode()}
    one = {"tokenizer.json": tokenizer.to_str().encode()}
    as_npy = {"train.npy": npy(tokens), "val.npy": npy(tokens.astype(np.uint16))}
    as_bin = {f"{part}.bin": tokens.astype("<u2").tobytes() for part in ("train", "val")}
    return [as_npy | one, as_bin | one, as_npy | two, as_npy]


def _read_tokens(folder: Path) -> None:
    from projects.language_model.config import Config
    from projects.language_model.data.tokens import load_tokens

    kind = "npy" if (folder / "train.npy").exists() or (folder / "val.npy").exists() else "bin"
    train, val = (str(folder / f"{part}.{kind}") for part in ("train", "val"))
    config = Config(dataset="fuzz", train_data_path=train, val_data_path=val, vocab_size=270, context_length=16)
    tokens = load_tokens(config)
    check_labels(tokens.train, 270)
    check_labels(tokens.val, 270)


def _story_files() -> list[Files]:
    text = "A cat sat.<|endoftext|>\nThe dög ran.<|endoftext|>\nThe end.".encode()
    return [{"train.txt": text}, {"train.txt.gz": gzip.compress(text, 1, mtime=0)}]


def _read_stories(folder: Path) -> None:
    from projects.language_model.data.text import read_stories

    for path in sorted(folder.iterdir()) or [folder / "none.txt"]:
        for story in read_stories(path):
            if not story.strip() or "<|endoftext|>" in story:
                raise FaultError(f"a story is {story[:80]!r}")


@functools.cache
def _fonts_name() -> str:
    from projects.emnist_mlp.data.config import DataConfig
    from projects.emnist_mlp.data.fonts import cache_digest

    return f"{cache_digest(DataConfig())[:16]}.npz"


def _cached_files() -> list[Files]:
    rows = {"train_x": _images(94), "train_y": np.arange(94) % 47, "test_x": _images(47), "test_y": np.arange(47)}
    own = npz(weights=np.ones((3, 2)), mse=np.asarray(0.5), n=np.arange(3))
    return [{_fonts_name(): npz(**rows), "arrays.npz": own}]


def _read_cached(folder: Path) -> None:
    from projects.emnist_mlp.data.config import DataConfig
    from projects.emnist_mlp.data.fonts import read_fonts
    from projects.files.arrays import read_npz
    from projects.files.values import finite_numbers

    if not (folder / _fonts_name()).exists():  # it would be drawn, which takes seconds
        raise DataProblem("a cache that is not there")
    source = read_fonts(DataConfig(), folder)
    check_labels(source.train.y, 47)
    arrays = read_npz(folder / "arrays.npz", way_out="make it again")
    check_finite(finite_numbers(one, place="arrays.npz", way_out="make it again") for one in arrays.values())


def _kind(name: str, seeds: Callable[[], list[Files]], read: Callable[[Path], None]) -> Kind:
    def run(files: Files, given: Path) -> None:
        for path, data in files.items():
            (given / path).parent.mkdir(parents=True, exist_ok=True)
            (given / path).write_bytes(data)
        read(given)

    @functools.cache
    def warm() -> list[Files]:
        found = seeds()
        read_once(found, run)
        return found

    return Kind(name=name, seeds=warm, mutate=mutate_one, run=run, refusals=(DataProblem,))


def read_once(found: list[Files], run: Callable[[Files, Path], None]) -> None:
    """Read a seed before the processes of the cases are made, so that they have what it imports."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        run(found[0], Path(folder))


KINDS = (
    _kind("idx files", _idx_folders, _read_idx),
    _kind("matlab files", _matlab_folders, _read_matlab),
    _kind("emnist archives", _emnist_archives, _read_emnist_archive),
    _kind("mnist1m files", _mnist1m_files, _read_mnist1m),
    _kind("mnist1m parts", _mnist1m_parts, _read_mnist1m_parts),
    _kind("shapes and targets", _shapes_folders, _read_shapes),
    _kind("cifar10 files", _cifar_folders, _read_cifar),
    _kind("pictures", _pictures, _read_picture),
    _kind("tokens", _token_folders, _read_tokens),
    _kind("stories", _story_files, _read_stories),
    _kind("cached arrays", _cached_files, _read_cached),
)
