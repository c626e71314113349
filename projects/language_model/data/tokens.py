"""Load the tokens of a config: memory-mapped files, never read completely, with their vocabulary and digest."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from projects.files.arrays import read_npy
from projects.files.problem import DataProblem
from projects.files.reading import given_path, is_there, open_file, reading, size_of
from projects.language_model.config import MADE_HERE, TOKEN_FILES, Config, has_given_tokens
from projects.language_model.data.stories import VERSION, write_stories
from projects.language_model.data.text import file_digest, read_stories
from projects.language_model.data.tokenize import Text, read_digests, tokens_folder
from projects.language_model.data.vocabulary import end_token, read_vocabulary, token_bytes, vocabulary_files

N_TRAIN_STORIES, N_VAL_STORIES = 4000, 400  # of the made ones
STORIES_SEED = 0
_WAY_OUT = "make it again"
_LOOKED_AT_ONCE = 1 << 20


class Tokens(NamedTuple):
    """Holds training and validation tokens of one data set."""

    train: np.ndarray  # (token,) integers, memory-mapped
    val: np.ndarray  # (token,) integers, memory-mapped
    tokenizer_json: str | None  # None: nobody knows what text the tokens stand for
    end: int  # the token that ends a story; below 0: none is known to
    bytes_of: np.ndarray | None  # (vocabulary,) int64: bytes of text that a token stands for
    digest: str  # sha256 of the digests of the files
    why_no_text: str = ""  # why there is no tokenizer


def load_tokens(config: Config) -> Tokens:
    """Load the tokens of a config; made from text if that has not been done yet.

    Raises:
        DataProblem: a file is missing or cannot be used, the vocabulary does not match, or there are fewer tokens
            than a sequence of `context_length` needs.
    """
    if has_given_tokens(config):
        tokens = _given_tokens(config, *_given_paths(config))
    else:
        tokens = _made_tokens(tokens_folder(_text(config), config.vocab_size, data_folder(config)))
    for part, array in (("training", tokens.train), ("validation", tokens.val)):
        if len(array) < config.context_length + 1:
            raise DataProblem(
                f"context_length: {config.context_length} tokens and the next one are more than the {len(array)} "
                f"{part} tokens of {config.dataset!r}; make it smaller or give more text"
            )
    return tokens


def make_batch(tokens: np.ndarray, starts: np.ndarray, context_length: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut sequences out of a token file.

    Args:
        tokens: (token,) integers.
        starts: where each sequence begins, (sequence,).
        context_length: tokens a sequence.

    Returns:
        Inputs and targets, each (sequence, token) int64; the targets are one token further on.
    """
    rows = np.stack([tokens[start : start + context_length + 1] for start in starts]).astype(np.int64)
    return rows[:, :-1], rows[:, 1:]


def data_folder(config: Config) -> Path:
    """Say where a data set's files and tokens lie: data/<dataset> under the working directory."""
    return Path("data") / config.dataset


def _text(config: Config) -> Text:
    if config.dataset == MADE_HERE:
        return _made_text()
    if config.train_data_path is None:
        folder = data_folder(config)
        train, val = folder / "train.txt", folder / "valid.txt"
        way_out = f"run: mlflow run . -e prepare_data -P dataset={config.dataset}"
    else:
        train, val = _given_paths(config)
        way_out = "check train_data_path and val_data_path"
    for path in (train, val):
        if not is_there(path, way_out=way_out):
            raise DataProblem(f"{path}: there is no such file; {way_out}")
    identity = f"{file_digest(train)} {file_digest(val)}"
    return Text(config.dataset, lambda: read_stories(train), lambda: read_stories(val), identity)


def _made_text() -> Text:
    identity = f"stories {VERSION} seed {STORIES_SEED}: {N_TRAIN_STORIES} and {N_VAL_STORIES}"
    return Text(MADE_HERE, lambda: _stories()[:N_TRAIN_STORIES], lambda: _stories()[N_TRAIN_STORIES:], identity)


@lru_cache(maxsize=1)
def _stories() -> list[str]:
    return write_stories(N_TRAIN_STORIES + N_VAL_STORIES, STORIES_SEED)


def _given_paths(config: Config) -> tuple[Path, Path]:
    paths = [given_path(path or "") for path in (config.train_data_path, config.val_data_path)]
    kinds = {path.suffix in TOKEN_FILES for path in paths}
    if len(kinds) > 1:
        raise DataProblem(
            f"val_data_path: {paths[1]} and train_data_path {paths[0]} must both be text or both be tokens; "
            "give two of a kind"
        )
    return paths[0], paths[1]


def _made_tokens(folder: Path) -> Tokens:
    files = [folder / "train.bin", folder / "val.bin", folder / "tokenizer.json"]
    return _tokens(_open(files[0]), _open(files[1]), files[2:], read_digests(folder, files))


def _given_tokens(config: Config, train: Path, val: Path) -> Tokens:
    """Token files that somebody else made, with the vocabulary that lies beside the training tokens, if one does."""
    for path in (train, val):
        if not is_there(path, way_out=_WAY_OUT):
            raise DataProblem(f"{path}: there is no such file, which would hold tokens; put it there")
    vocabulary = vocabulary_files(train.parent)
    digests = [file_digest(path) for path in (train, val, *vocabulary)]
    tokens = _tokens(_open(train), _open(val), vocabulary, digests)
    n_entries = config.vocab_size if tokens.bytes_of is None else len(tokens.bytes_of)
    if n_entries != config.vocab_size:
        raise DataProblem(
            f"vocab_size: is {config.vocab_size}, and {vocabulary[0]} has {n_entries} entries; set it to {n_entries}"
        )
    for path in (train, val):
        _check_within(path, n_entries, vocabulary)
    return tokens if vocabulary else tokens._replace(why_no_text=_why_no_text(train.parent))


def _why_no_text(folder: Path) -> str:
    return (
        f"{folder}: holds no vocabulary of the tokens, so bits per byte are not measured and no samples are written; "
        "put tokenizer.json there, or vocab.json and merges.txt"
    )


def _check_within(path: Path, n_entries: int, vocabulary: list[Path]) -> None:
    smallest, largest = _range_of(path.absolute(), file_digest(path))
    if smallest < 0:
        raise DataProblem(f"{path}: holds token {smallest}; tokens are numbers from 0 on; make the file again")
    if largest >= n_entries and vocabulary:
        raise DataProblem(
            f"{path}: holds token {largest}, and {vocabulary[0]} has {n_entries} entries; "
            "give the vocabulary that made the tokens"
        )
    if largest >= n_entries:
        raise DataProblem(
            f"vocab_size: {n_entries} entries are too few for token {largest} of {path}; "
            f"set it to {largest + 1} or more"
        )


def _tokens(train: np.ndarray, val: np.ndarray, vocabulary: list[Path], digests: list[str]) -> Tokens:
    digest = hashlib.sha256(json.dumps(digests).encode()).hexdigest()
    if not vocabulary:
        return Tokens(train, val, None, -1, None, digest)
    tokenizer = read_vocabulary(vocabulary)
    end = end_token(tokenizer, source=str(vocabulary[0]))
    return Tokens(train, val, tokenizer.to_str(), end, token_bytes(tokenizer), digest)


def _open(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        array = read_npy(path, way_out=_WAY_OUT, is_mapped=True)
    else:
        with open_file(path, way_out=_WAY_OUT) as file, reading(path, way_out=_WAY_OUT):
            if not size_of(file) or size_of(file) % 2:
                raise DataProblem(f"{path}: is not a file of uint16 tokens: it has {size_of(file)} bytes; {_WAY_OUT}")
            array = np.memmap(file, dtype="<u2", mode="r")
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise DataProblem(
            f"{path}: holds {array.dtype} of shape {array.shape}, not one row of integer tokens; save them as one"
        )
    return array


@lru_cache(maxsize=16)
def _range_of(path: Path, digest: str) -> tuple[int, int]:
    """The smallest and the largest token; `digest` is part of the key: a changed file is looked through again."""
    array = _open(path)
    parts = [array[at : at + _LOOKED_AT_ONCE] for at in range(0, len(array), _LOOKED_AT_ONCE)]
    return min((int(part.min()) for part in parts), default=0), max((int(part.max()) for part in parts), default=0)
