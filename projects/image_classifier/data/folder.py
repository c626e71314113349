"""Read images in folders named after their classes, as torchvision's ImageFolder does.

The folder is ROOT/{train,val,test}/CLASS/*.jpg or ROOT/CLASS/*.jpg. In the first form val may be called valid or
validation; if it is missing, a part of train is taken; test is optional. The second form is split. Images may be in
deeper folders of a class.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from projects.files.problem import DataProblem, one_line
from projects.files.reading import is_folder, listed
from projects.image_classifier.data.config import DataConfig, data_folder
from projects.image_classifier.data.dataset import ImageSet, Part, seal
from projects.image_classifier.data.decode import decode_files
from projects.image_classifier.data.split import split_rows, take

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
TEST_SEED = 0  # cuts off the test images, whatever the seed of the split: no seed trains on them
PART_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
CACHE = Path("data") / "folder"  # below the working directory
_WAY_OUT = "give data.path a folder with one sub-folder a class"
MOST_NAMED = 5  # damaged files in a message

_log = logging.getLogger(__name__)


def load_folder(config: DataConfig) -> ImageSet:
    """Read a folder of class folders.

    Args:
        config: name is 'folder'.

    Raises:
        DataProblem: the folder is missing, has one class, an empty class folder or (where that is refused) a file
            that is no readable image; or a part would be too small.
    """
    root = data_folder(config)
    if not is_folder(root, way_out=_WAY_OUT):
        raise DataProblem(f"{root}: is not a folder; give data.path a folder with one sub-folder a class")
    folders = _part_folders(root)
    class_names = _class_names(folders.get("train", root))
    parts, n_skipped = {}, 0
    for name, folder in (folders or {"train": root}).items():
        parts[name], skipped = _read_part(folder, class_names, config)
        n_skipped += skipped
    parts = _with_all_parts(parts, config, has_parts=bool(folders), source=str(root))
    for name, n in (("train", config.n_train), ("val", config.n_val)):
        parts[name] = take(parts[name], n, seed=config.seed, field=f"n_{name}", source=f"{root} ({name})")
    return seal(str(root), parts, class_names, n_skipped=n_skipped)


def _part_folders(root: Path) -> dict[str, Path]:
    """The folders of the parts, where there is one for training; else none, and the root holds the classes."""
    by_name = {path.name.lower(): path for path in _folders(root)}
    found = {part: by_name[name] for part, names in PART_NAMES.items() for name in names if name in by_name}
    return found if "train" in found else {}


def _class_names(folder: Path) -> tuple[str, ...]:
    """The classes: sub-folders in the order of their names."""
    names = tuple(path.name for path in _folders(folder))
    if unreadable := [name for name in names if name != one_line(name)]:
        raise DataProblem(f"{folder / unreadable[0]}: the name of a class must be printable UTF-8; rename the folder")
    if len(names) < 2:
        raise DataProblem(
            f"{folder}: has {len(names)} class folders ({', '.join(names) or 'none'}); a classifier needs two or more, "
            "each named after its class"
        )
    return names


def _folders(folder: Path) -> list[Path]:
    found = [path for path in listed(folder, way_out=_WAY_OUT) if not path.name.startswith(".")]
    return [path for path in found if is_folder(path, way_out=_WAY_OUT)]


def _read_part(folder: Path, class_names: Sequence[str], config: DataConfig) -> tuple[Part, int]:
    """The images of one part, by class and name, and how many files were left out."""
    if unknown := [path.name for path in _folders(folder) if path.name not in class_names]:
        raise DataProblem(
            f"{folder / unknown[0]}: is not a class of the training images ({', '.join(class_names[:5])}, …); "
            "rename the folder or take it away"
        )
    files, labels = [], []
    for label, name in enumerate(class_names):
        own = _image_files(folder / name)
        if not own:
            raise DataProblem(
                f"{folder / name}: has no image ({', '.join(sorted(SUFFIXES))}); add some, or remove the class"
            )
        files += own
        labels += [label] * len(own)
    decoded = decode_files(files, config.image_size, CACHE)
    if decoded.reasons:
        _tell(decoded.reasons, is_refused=config.damaged == "refuse")
    return Part(decoded.images, np.array(labels, np.int64)[decoded.is_readable]), len(decoded.reasons)


def _image_files(folder: Path) -> list[Path]:
    pictures = [path for path in listed(folder, "**/*", way_out=_WAY_OUT) if path.suffix.lower() in SUFFIXES]
    return [path for path in pictures if not is_folder(path, way_out=_WAY_OUT)]


def _tell(reasons: Sequence[str], *, is_refused: bool) -> None:
    """Refuse unreadable files by name, or say which are left out."""
    named = "; ".join(reasons[:MOST_NAMED])
    more = f"; and {len(reasons) - MOST_NAMED} more" if len(reasons) > MOST_NAMED else ""
    if is_refused:
        raise DataProblem(f"{named}{more}")
    _log.warning("left out %d unreadable files: %s%s", len(reasons), named, more)


def _with_all_parts(parts: dict[str, Part], config: DataConfig, *, has_parts: bool, source: str) -> dict[str, Part]:
    """Cut off of the training images what there is no folder for: validation, and where asked for the test."""
    if has_parts and config.test_fraction:
        raise DataProblem(
            f"data.test_fraction: {source} has folders of parts, so its test images are those of its folder test, if "
            "any; leave test_fraction at 0"
        )
    parts = dict(parts)
    wanted = {"test": config.test_fraction, "val": 0.0 if "val" in parts else config.val_fraction}
    n_all = len(parts["train"].labels)
    for name, fraction in wanted.items():
        if fraction:
            images, labels = parts["train"]
            rows, rest = split_rows(
                labels,
                round(fraction * n_all),
                seed=TEST_SEED if name == "test" else config.seed,
                field=f"data.{name}_fraction",
                source=source,
            )
            parts[name], parts["train"] = Part(images[rows], labels[rows]), Part(images[rest], labels[rest])
    return parts
