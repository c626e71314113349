"""Train a byte-level BPE vocabulary by `tokenizers`, and find the bytes of each token.

Sennrich et al. arXiv:1508.07909; bytes as the base alphabet and splitting as GPT-2 (Radford et al. 2019).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from projects.files.problem import DataProblem
from projects.files.reading import is_there, read_text, reading

END = "<|endoftext|>"
TOKENIZER, VOCAB, MERGES = "tokenizer.json", "vocab.json", "merges.txt"
MOST_ENTRIES = 1 << 24  # the largest vocabularies in use have some 300,000
_WAY_OUT = "make it with the tokenizers package"


def train_vocabulary(stories: Iterable[str], vocab_size: int, *, source: str) -> Tokenizer:
    """Train a vocabulary of the end-of-text token, the 256 bytes and the merges that the stories give.

    Args:
        stories: the training text.
        vocab_size: entries in all.
        source: what the text is called in messages.

    Raises:
        DataProblem: the text is empty, or too small for so many entries.
    """
    tokenizer = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_not_empty(stories, source), trainer=trainer)
    found = tokenizer.get_vocab_size()
    if found != vocab_size:
        raise DataProblem(
            f"vocab_size: {vocab_size} entries are more than the text of {source} gives; set it to {found} or less"
        )
    return tokenizer


def vocabulary_files(folder: Path) -> list[Path]:
    """Find the files of the vocabulary that lies in a folder: tokenizer.json, else GPT-2's two; none if it has none.

    Raises:
        DataProblem: of GPT-2's two files there is one alone.
    """
    if is_there(tokenizer := folder / TOKENIZER, way_out=_WAY_OUT):
        return [tokenizer]
    pair = [folder / VOCAB, folder / MERGES]
    there = [path for path in pair if is_there(path, way_out=_WAY_OUT)]
    if len(there) == 1:
        [other] = [path.name for path in pair if path not in there]
        raise DataProblem(f"{there[0]}: lies there without {other}; put the two there, or a {TOKENIZER}, or neither")
    return there


def read_vocabulary(files: Sequence[Path]) -> Tokenizer:
    """Read the vocabulary of some files: tokenizer.json, or vocab.json and merges.txt as GPT-2 has them.

    Raises:
        DataProblem: they hold none.
    """
    names = " and ".join(str(path) for path in files)
    texts = [read_text(path, way_out=_WAY_OUT) for path in files]  # regular files, and not too large
    with reading(names, way_out=_WAY_OUT):
        if len(files) == 1:
            tokenizer = Tokenizer.from_str(texts[0])
        else:
            tokenizer = _byte_level(models.BPE.from_file(*map(str, files)))
    numbers = tokenizer.get_vocab().values()
    if not numbers or max(numbers) >= MOST_ENTRIES:
        found = f"a token of number {max(numbers)}" if numbers else "no token"
        raise DataProblem(f"{names}: has {found}, numbers are below {MOST_ENTRIES}; {_WAY_OUT}")
    if len(files) == 1:
        return tokenizer
    if tokenizer.token_to_id(END) is not None:
        tokenizer.add_special_tokens([END])
    return tokenizer


def end_token(tokenizer: Tokenizer, *, source: str) -> int:
    """Return the number of the token that ends a story.

    Raises:
        DataProblem: the vocabulary has none.
    """
    token = tokenizer.token_to_id(END)
    if token is None:
        raise DataProblem(f"{source}: has no token {END}, which ends a story; add it to the vocabulary")
    return token


def token_bytes(tokenizer: Tokenizer) -> np.ndarray:
    """Say how many bytes of text each token stands for, (vocabulary,) int64; 0 for special tokens.

    In byte-level BPE a token is written with one character for each of its bytes.
    """
    special = {number for number, added in tokenizer.get_added_tokens_decoder().items() if added.special}
    numbers = tokenizer.get_vocab()
    sizes = np.zeros(1 + max(numbers.values()), np.int64)  # numbers may be left out
    for text, number in numbers.items():
        sizes[number] = 0 if number in special else len(text)
    return sizes


def encode(tokenizer_json: str, text: str) -> list[int]:
    """Encode a text as tokens."""
    return _tokenizer(tokenizer_json).encode(text, add_special_tokens=False).ids


def decode(tokenizer_json: str, tokens: Sequence[int]) -> str:
    """Decode tokens to text; bytes that are no whole character become the replacement character."""
    return _tokenizer(tokenizer_json).decode(list(tokens))


def _byte_level(model: models.BPE) -> Tokenizer:
    """A tokenizer that splits text as GPT-2 does."""
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


@lru_cache(maxsize=4)
def _tokenizer(tokenizer_json: str) -> Tokenizer:
    return Tokenizer.from_str(tokenizer_json)


def _not_empty(stories: Iterable[str], source: str) -> Iterable[str]:
    is_empty = True
    for story in stories:
        is_empty = False
        yield story
    if is_empty:
        raise DataProblem(f"{source}: is empty: there is no story in it; get the file again")
