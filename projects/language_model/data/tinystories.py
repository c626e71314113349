"""Copy or download TinyStories: short stories in simple words, written by GPT-4.

Eldan & Li, arXiv:2305.07759; the version-2 files of the data set roneneldan/TinyStories on Hugging Face.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from projects.files.download import download
from projects.files.problem import DataProblem
from projects.files.reading import given_path, is_same, is_there, open_unpacked, reading
from projects.language_model.config import Config
from projects.language_model.data.stated import stated_sha256
from projects.language_model.data.text import WAY_OUT
from projects.language_model.data.tokens import load_tokens

NAME = "tinystories"
URL = "https://huggingface.co/datasets/roneneldan/TinyStories/resolve/main/"
# Name here, and the names that a source folder may have it under.
FILES = {
    "train.txt": ("TinyStoriesV2-GPT4-train.txt", "tinystories_train.txt", "train.txt"),
    "valid.txt": ("TinyStoriesV2-GPT4-valid.txt", "tinystories_valid.txt", "valid.txt"),
}


def prepare_tinystories(
    source: str | None,
    target: Path,
    *,
    vocab_size: int | None = None,
    train_sha256: str | None = None,
    valid_sha256: str | None = None,
) -> Path:
    """Put train.txt and valid.txt into a folder; with a vocab_size, make their vocabulary and tokens too.

    Args:
        source: folder that holds the two files, raw or as .gz; a web address that they stand under; or None (or
            empty) to download them from Hugging Face.
        target: the folder to fill; made where it is missing.
        vocab_size: entries of the vocabulary; None leaves it to the first run.
        train_sha256: of the training file where it is downloaded; by default what the server states beforehand.
        valid_sha256: of the validation file, likewise.

    Returns:
        The target folder.

    Raises:
        DataProblem: a file is missing or damaged, no server hands it out, or the folder cannot be written.
    """
    checksums = {"train.txt": train_sha256, "valid.txt": valid_sha256}
    for name, spellings in FILES.items():
        if source and not source.startswith(("http://", "https://")):
            _copy(_find(given_path(source), spellings), target / name)
        else:
            address = f"{(source or URL).rstrip('/')}/{spellings[0]}"
            download(address, target / name, checksum=checksums[name] or stated_sha256(address))
    if vocab_size is not None:
        train, val = (str(target / name) for name in FILES)
        load_tokens(Config(dataset=NAME, train_data_path=train, val_data_path=val, vocab_size=vocab_size))
    return target


def _find(folder: Path, spellings: tuple[str, ...]) -> Path:
    for name in spellings:
        for path in (folder / name, folder / f"{name}.gz"):
            if is_there(path, way_out=WAY_OUT):
                return path
    raise DataProblem(
        f"{folder}: holds none of {', '.join(spellings)}, raw or as .gz; give the folder of the two files, "
        "or leave out the source to download them"
    )


def _copy(source: Path, target: Path) -> None:
    """Unpack or copy a file of any size; it takes its name when it is complete."""
    if is_same(target, source):
        return
    part = target.with_name(target.name + ".part")
    try:
        with reading(target, way_out="free space or choose another folder"):
            target.parent.mkdir(parents=True, exist_ok=True)
            with open_unpacked(source, way_out=WAY_OUT) as packed, part.open("wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)
