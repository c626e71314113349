"""The byte-level BPE against the public reference of CS336: the same algorithm, in which only ties break otherwise."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from tokenizers import pre_tokenizers

from projects.language_model.data.vocabulary import END, read_vocabulary, train_vocabulary
from tests.conftest import ROOT

SHARED = Path(os.environ.get("ROTHAMSTED_REAL_DATA", ROOT.parent / "shared" / "data"))
FOLDER = SHARED / "tinystories" / "cs336_fixtures"  # stanford-cs336/assignment1-basics, tests/fixtures; MIT
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="no tinystories/cs336_fixtures in ROTHAMSTED_REAL_DATA"),
]
N_ENTRIES = 500
Pair = tuple[str, str]


@pytest.fixture(scope="module")
def text() -> str:
    return (FOLDER / "corpus.en").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reference() -> list[Pair]:
    lines = (FOLDER / "train-bpe-reference-merges.txt").read_text(encoding="utf-8").splitlines()
    return [(left, right) for left, right in (line.split(" ") for line in lines if line)]


@pytest.fixture(scope="module")
def ours(text: str) -> list[Pair]:
    merges = json.loads(train_vocabulary([text], N_ENTRIES, source="corpus.en").to_str())["model"]["merges"]
    return [(left, right) for left, right in merges]


def merges_of(text: str, n: int, rank: Callable[[Pair, dict[str, int]], object]) -> list[Pair]:
    """BPE by hand, so that the rule is known (Sennrich et al. arXiv:1508.07909): the commonest pair each time.

    Of equally common ones it is the one that ranks highest.
    """
    split = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
    words = [(tuple(word), count) for word, count in Counter(word for word, _ in split).items()]
    numbers = {END: 0, **{char: 1 + at for at, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}}
    counts: Counter[Pair] = Counter()
    for parts, count in words:
        _count(counts, parts, count)
    merges: list[Pair] = []
    for _ in range(n):
        most = max(counts.values())
        best = max((pair for pair, count in counts.items() if count == most), key=lambda pair: rank(pair, numbers))
        merges.append(best)
        numbers[best[0] + best[1]] = len(numbers)
        for at, (parts, count) in enumerate(words):
            if best in pairwise(parts):
                _count(counts, parts, -count)
                words[at] = (_merged(parts, best), count)
                _count(counts, words[at][0], count)
    return merges


def _count(counts: Counter[Pair], parts: tuple[str, ...], count: int) -> None:
    for pair in pairwise(parts):
        counts[pair] += count


def _merged(parts: tuple[str, ...], pair: Pair) -> tuple[str, ...]:
    out: list[str] = []
    at = 0
    while at < len(parts):
        is_pair = parts[at : at + 2] == pair
        out.append("".join(pair) if is_pair else parts[at])
        at += 2 if is_pair else 1
    return tuple(out)


def bytes_of(token: str) -> bytes:
    """The bytes that a token stands for: GPT-2 writes each as a printable character (Radford et al. 2019)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    of_char = {chr(byte): byte for byte in printable} | {chr(256 + at): byte for at, byte in enumerate(others)}
    return bytes(of_char[char] for char in token)


def test_with_the_reference_s_rule_for_ties_the_algorithm_gives_the_reference_merge_by_merge(
    text: str, reference: list[Pair]
) -> None:
    # CS336, assignment 1: of equally common pairs the lexicographically greater one.
    assert merges_of(text, 243, lambda pair, _: tuple(bytes_of(part) for part in pair)) == reference


def test_with_the_library_s_rule_for_ties_it_gives_ours_merge_by_merge(text: str, ours: list[Pair]) -> None:
    # tokenizers: of equally common pairs the one of the smaller numbers, the older tokens.
    assert merges_of(text, 243, lambda pair, numbers: tuple(-numbers[part] for part in pair)) == ours


def test_what_the_page_says_of_the_difference(text: str, reference: list[Pair], ours: list[Pair]) -> None:
    assert len(reference) == len(ours) == 243
    assert sum(left == right for left, right in zip(reference, ours, strict=True)) == 156
    assert len(set(reference) & set(ours)) == 239
    files = [FOLDER / "train-bpe-reference-vocab.json", FOLDER / "train-bpe-reference-merges.txt"]
    n_theirs = len(read_vocabulary(files).encode(text).ids)
    n_ours = len(train_vocabulary([text], N_ENTRIES, source="corpus.en").encode(text).ids)
    assert (n_ours, n_theirs) == (63_649, 63_656)
    page = (ROOT / "docs" / "studies" / "language_model.md").read_text(encoding="utf-8")
    assert "156 of its 243 merges" in page
    assert "239 of the 243" in page
    assert "63,649" in page
    assert "63,656" in page


def test_gpt_2_s_own_files_are_read(text: str, tmp_path: Path) -> None:
    import gzip

    paths = [tmp_path / "vocab.json", tmp_path / "merges.txt"]
    for path in paths:
        path.write_bytes(gzip.decompress((FOLDER / f"gpt2_{path.name}.gz").read_bytes()))
    tokenizer = read_vocabulary(paths)
    numbers = tokenizer.encode(text).ids
    assert tokenizer.decode(numbers) == text
    assert tokenizer.token_to_id(END) == 50_256  # as openai/gpt-2 has it
    assert tokenizer.encode("Hello world").ids == [15496, 995]  # as every page on GPT-2's tokenizer shows it
