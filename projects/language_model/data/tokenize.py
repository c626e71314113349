"""Turn text into token files: a folder with tokenizer.json, train.bin, val.bin and meta.json, made once.

The folder's name has the digest of the text and of all that the tokens depend on. It is written beside its place and
then moved there, so that of several processes one wins and none sees an incomplete folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from projects.files.problem import DataProblem
from projects.files.reading import is_there, read_json, reading
from projects.language_model.data.text import file_digest
from projects.language_model.data.vocabulary import end_token, train_vocabulary

FORMAT = "language-model-tokens-1"
STORIES_AT_ONCE = 1000
META = "meta.json"
WAY_OUT = "remove its folder; it will be made again"
_log = logging.getLogger(__name__)


class Text(NamedTuple):
    """Holds the text of a data set: a function that reads it from its beginning, and what identifies it."""

    name: str  # in messages
    train: Callable[[], Iterable[str]]
    val: Callable[[], Iterable[str]]
    identity: str  # equal identities, equal stories


def tokens_folder(text: Text, vocab_size: int, folder: Path) -> Path:
    """Return the folder of the text's tokens, below `folder`; made if it is missing.

    Args:
        text: the stories.
        vocab_size: entries of the vocabulary, which is trained on the training stories.
        folder: the data set's own.

    Raises:
        DataProblem: the text cannot be read, is empty or too small, or the folder cannot be written.
    """
    key = hashlib.sha256(json.dumps([FORMAT, text.identity, vocab_size]).encode()).hexdigest()
    target = folder / f"tokens-{vocab_size}-{key[:16]}"
    if is_there(target / META, way_out=WAY_OUT):
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as making:
            part = Path(making) / "tokens"
            part.mkdir()
            _fill(part, text, vocab_size)
            _put_in_place(part, target)
    except OSError as error:
        raise DataProblem(
            f"{target}: cannot be written ({error.strerror or error}); free space or run from another folder"
        ) from error
    return target


def read_digests(folder: Path, files: Sequence[Path]) -> list[str]:
    """Return the sha256 of files of a folder, once each is what `tokens_folder` noted of it.

    Raises:
        DataProblem: a file has changed since, or the note is damaged.
    """
    noted = read_json(folder / META, way_out=WAY_OUT)
    with reading(folder / META, way_out=WAY_OUT):
        digests = [str(noted["sha256"][path.name]) for path in files]
    for path, digest in zip(files, digests, strict=True):
        if file_digest(path) != digest:
            raise DataProblem(f"{path}: has another sha256 than {META} says; {WAY_OUT}")
    return digests


def _fill(part: Path, text: Text, vocab_size: int) -> None:
    tokenizer = train_vocabulary(text.train(), vocab_size, source=text.name)
    tokenizer.save(str(part / "tokenizer.json"))
    val_keys: set[bytes] = set()
    n_val_stories, n_val_tokens = _write(part / "val.bin", _noting(text.val(), val_keys), tokenizer)
    left_out: list[bytes] = []
    stories = _without(text.train(), val_keys, left_out)
    n_train_stories, n_train_tokens = _write(part / "train.bin", stories, tokenizer)
    if not n_val_stories or not n_train_stories:
        which = "validation" if not n_val_stories else "training"
        raise DataProblem(f"{text.name}: has no {which} story of its own; give another text")
    if left_out:
        _log.warning("%s: %d training stories are in the validation text and left out", text.name, len(left_out))
    meta = {
        "format": FORMAT,
        "identity": text.identity,
        "vocab_size": vocab_size,
        "n_train_stories": n_train_stories,
        "n_val_stories": n_val_stories,
        "n_train_stories_left_out": len(left_out),
        "n_train_tokens": n_train_tokens,
        "n_val_tokens": n_val_tokens,
        "sha256": {name: file_digest(part / name) for name in ("train.bin", "val.bin", "tokenizer.json")},
    }
    (part / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def _write(path: Path, stories: Iterable[str], tokenizer: Tokenizer) -> tuple[int, int]:
    """Write stories as uint16 tokens, each with the end-of-text token behind it; returns how many of both."""
    end = end_token(tokenizer, source=str(path))
    n_stories = n_tokens = 0
    with path.open("wb") as file:
        remaining = iter(stories)
        while some := list(islice(remaining, STORIES_AT_ONCE)):
            for encoded in tokenizer.encode_batch_fast(some, add_special_tokens=False):
                tokens = np.array([*encoded.ids, end], dtype="<u2")
                file.write(tokens.tobytes())
                n_tokens += len(tokens)
            n_stories += len(some)
    return n_stories, n_tokens


def _noting(stories: Iterable[str], keys: set[bytes]) -> Iterator[str]:
    for story in stories:
        keys.add(_key(story))
        yield story


def _without(stories: Iterable[str], keys: set[bytes], left_out: list[bytes]) -> Iterator[str]:
    for story in stories:
        if (key := _key(story)) in keys:
            left_out.append(key)
        else:
            yield story


def _key(story: str) -> bytes:
    return hashlib.blake2b(story.encode(), digest_size=16).digest()


def _put_in_place(part: Path, target: Path) -> None:
    try:
        part.rename(target)
    except OSError:
        if not is_there(target / META, way_out=WAY_OUT):  # not another process that was faster
            shutil.rmtree(target, ignore_errors=True)
            part.rename(target)
