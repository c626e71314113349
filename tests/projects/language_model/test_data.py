"""Text, vocabulary and token files: made once, memory-mapped, disjoint, and refused in one line where they are bad."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from projects.language_model.config import Config
from projects.language_model.data import DataProblem, Tokens, load_tokens
from projects.language_model.data.stories import write_stories
from projects.language_model.data.text import read_stories
from projects.language_model.data.vocabulary import END, token_bytes
from projects.language_model.evaluate import validation_starts
from tests.projects.language_model.small import small

STORIES = write_stories(60, 1)


def write_text(path: Path, stories: list[str]) -> Path:
    text = "".join(f"{story}\n{END}\n" for story in stories)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def of_text(folder: Path, train: list[str], val: list[str], **fields: object) -> Config:
    """A config of text files of these stories."""
    paths = [write_text(folder / name, stories) for name, stories in (("train.txt", train), ("val.txt.gz", val))]
    return small(dataset="mine", train_data_path=str(paths[0]), val_data_path=str(paths[1]), **fields)


def of_tokens(folder: Path, tokens: Tokens, **fields: object) -> Config:
    """A config of given token files, with the vocabulary of `tokens` beside them."""
    tokens.train[:500].tofile(folder / "train.bin")
    np.save(folder / "val.npy", tokens.val[:300])
    (folder / "tokenizer.json").write_text(tokens.tokenizer_json)
    paths = {"train_data_path": str(folder / "train.bin"), "val_data_path": str(folder / "val.npy")}
    return small(**{"dataset": "theirs", **paths, **fields})


def decoded(tokens: Tokens, part: np.ndarray) -> list[str]:
    """The stories that tokens stand for."""
    tokenizer = Tokenizer.from_str(tokens.tokenizer_json)
    return tokenizer.decode(part.tolist(), skip_special_tokens=False).split(END)[:-1]


def test_stories_are_a_function_of_the_seed_and_all_differ() -> None:
    assert STORIES == write_stories(60, 1) == write_stories(80, 1)[:60]
    assert len(set(STORIES)) == 60
    assert set(STORIES).isdisjoint(write_stories(60, 2))


def test_tokens_are_memory_mapped_uint16_and_read_back_to_the_text(tmp_path: Path) -> None:
    tokens = load_tokens(of_text(tmp_path, STORIES[:50], STORIES[50:]))
    assert [isinstance(part, np.memmap) for part in (tokens.train, tokens.val)] == [True, True]
    assert tokens.train.dtype == np.uint16
    assert decoded(tokens, tokens.train) == STORIES[:50]
    assert decoded(tokens, tokens.val) == STORIES[50:]


def test_text_of_any_script_reads_back_byte_for_byte(tmp_path: Path) -> None:
    story = "Привет, 世界 🙂! “Quoted” … naïve\tTab."
    tokens = load_tokens(of_text(tmp_path, [*STORIES[:50], story], STORIES[50:]))
    assert decoded(tokens, tokens.train)[-1] == story


def test_bytes_of_tokens_add_up_to_the_text(tmp_path: Path) -> None:
    stories = [*STORIES[50:], "Zoë said 你好."]
    tokens = load_tokens(of_text(tmp_path, STORIES[:50], stories))
    assert tokens.bytes_of[tokens.val].sum() == sum(len(story.encode()) for story in stories)
    assert token_bytes(Tokenizer.from_str(tokens.tokenizer_json))[tokens.end] == 0


def test_a_training_story_that_is_in_the_validation_text_is_left_out_and_said_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        tokens = load_tokens(of_text(tmp_path, STORIES[:55], STORIES[50:]))
    assert decoded(tokens, tokens.train) == STORIES[:50]
    assert "mine: 5 training stories are in the validation text and left out" in caplog.text


def test_made_stories_of_training_and_validation_are_disjoint(tokens: Tokens) -> None:
    train, val = decoded(tokens, tokens.train), decoded(tokens, tokens.val)
    assert (len(train), len(val)) == (4000, 400)
    assert set(train).isdisjoint(val)


def test_tokens_are_made_once_for_one_text_and_anew_for_another(tmp_path: Path, home: Path) -> None:
    config = of_text(tmp_path, STORIES[:50], STORIES[50:], vocab_size=310)
    first = load_tokens(config)
    (folder,) = (home / "data" / "mine").glob("tokens-310-*")
    changed_at = (folder / "train.bin").stat().st_mtime_ns
    assert load_tokens(config).digest == first.digest
    assert (folder / "train.bin").stat().st_mtime_ns == changed_at
    other = load_tokens(of_text(tmp_path, STORIES[:49], STORIES[50:], vocab_size=310))
    assert other.digest != first.digest


def test_the_vocabulary_is_trained_on_the_training_text_alone(tmp_path: Path) -> None:
    config = of_text(tmp_path, STORIES[:50], ["zzyzx " * 50 + "."])
    vocabulary = json.loads(load_tokens(config).tokenizer_json)["model"]["vocab"]
    assert not [entry for entry in vocabulary if "zz" in entry]


def test_given_token_files_are_used_as_they_are(tmp_path: Path, tokens: Tokens) -> None:
    given = load_tokens(of_tokens(tmp_path, tokens))
    assert (len(given.train), len(given.val)) == (500, 300)
    assert given.train.tolist() == tokens.train[:500].tolist()
    assert given.digest != tokens.digest


def test_stories_are_found_whatever_surrounds_the_separators(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(f"One.\n\nTwo.{END}{END}  \n\n Three.\n{END}\nFour.\n")
    assert list(read_stories(path)) == ["One.\n\nTwo.", "Three.", "Four."]


def test_validation_sequences_are_spread_from_the_first_token_to_the_last() -> None:
    # 101 tokens, sequences of 16 and the next one: at most 6 side by side, the last from 101 - 17 = 84.
    assert validation_starts(101, small(eval_sequences=100)).tolist() == [0, 16, 33, 50, 67, 84]
    assert validation_starts(101, small(eval_sequences=2)).tolist() == [0, 84]


class TestRefusals:
    @staticmethod
    def refused(config: Config) -> str:
        with pytest.raises(DataProblem) as error:
            load_tokens(config)
        assert "\n" not in str(error.value)
        return str(error.value)

    def test_an_empty_text(self, tmp_path: Path) -> None:
        assert self.refused(of_text(tmp_path, [], STORIES)).startswith("mine: is empty: there is no story in it")

    def test_an_empty_validation_text(self, tmp_path: Path) -> None:
        assert "mine: has no validation story of its own" in self.refused(of_text(tmp_path, STORIES, []))

    def test_a_text_too_small_for_its_vocabulary(self, tmp_path: Path) -> None:
        message = self.refused(of_text(tmp_path, ["A cat."], STORIES, vocab_size=400))
        assert message.startswith("vocab_size: 400 entries are more than the text of mine gives; set it to 2")

    def test_a_context_longer_than_the_data(self, tmp_path: Path) -> None:
        message = self.refused(of_text(tmp_path, STORIES, ["A cat."], context_length=64))
        assert message.startswith("context_length: 64 tokens and the next one are more than the")
        assert "validation tokens of 'mine'" in message

    def test_a_vocabulary_that_does_not_match_the_token_files(self, tmp_path: Path, tokens: Tokens) -> None:
        message = self.refused(of_tokens(tmp_path, tokens, vocab_size=512))
        assert message.startswith("vocab_size: is 512, and ")
        assert message.endswith("tokenizer.json has 300 entries; set it to 300")

    def test_tokens_beyond_the_vocabulary(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens)
        np.array([1, 2, 300] * 100, "<u2").tofile(tmp_path / "train.bin")
        assert "train.bin: holds token 300, and " in self.refused(config)

    def test_a_token_file_that_is_not_there(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens)
        (tmp_path / "val.npy").unlink()
        assert "val.npy: there is no such file, which would hold tokens; put it there" in self.refused(config)

    def test_a_vocabulary_that_is_none(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens)
        (tmp_path / "tokenizer.json").write_text("{}")
        assert "tokenizer.json: is damaged or of another kind" in self.refused(config)

    def test_an_empty_token_file(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens)
        (tmp_path / "train.bin").write_bytes(b"")
        assert "train.bin: is not a file of uint16 tokens" in self.refused(config)

    def test_tokens_that_are_no_integers_or_no_row(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens)
        for array, holds in ((np.ones(50), "float64 of shape (50,)"), (np.ones((5, 9), int), "int64 of shape (5, 9)")):
            np.save(tmp_path / "val.npy", array)
            assert f"val.npy: holds {holds}, not one row of integer tokens" in self.refused(config)

    def test_a_negative_token(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens)
        np.save(tmp_path / "val.npy", np.arange(-1, 40))
        assert "val.npy: holds token -1; tokens are numbers from 0 on" in self.refused(config)

    def test_tokens_without_a_vocabulary_beyond_vocab_size(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens)
        (tmp_path / "tokenizer.json").unlink()
        np.save(tmp_path / "val.npy", np.full(50, 300))
        message = self.refused(config)
        assert message.startswith("vocab_size: 300 entries are too few for token 300 of ")
        assert message.endswith("set it to 301 or more")

    def test_one_of_the_two_files_of_gpt_2(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens)
        (tmp_path / "tokenizer.json").rename(tmp_path / "vocab.json")
        assert "vocab.json: lies there without merges.txt; put the two there" in self.refused(config)

    def test_files_of_gpt_2_that_are_none(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens)
        (tmp_path / "tokenizer.json").rename(tmp_path / "vocab.json")
        (tmp_path / "merges.txt").write_text("one two three")
        message = self.refused(config)
        assert "vocab.json and " in message
        assert "merges.txt: is damaged or of another kind" in message

    def test_text_beside_tokens(self, tmp_path: Path, tokens: Tokens) -> None:
        config = of_tokens(tmp_path, tokens, val_data_path=str(write_text(tmp_path / "val.txt", STORIES)))
        assert "must both be text or both be tokens" in self.refused(config)

    def test_text_that_is_not_there(self) -> None:
        message = self.refused(small(dataset="tinystories"))
        assert message == (
            "data/tinystories/train.txt: there is no such file; "
            "run: mlflow run . -e prepare_data -P dataset=tinystories"
        )

    def test_text_that_is_cut_off(self, tmp_path: Path) -> None:
        config = of_text(tmp_path, STORIES[:50], STORIES[50:])
        path = tmp_path / "val.txt.gz"
        path.write_bytes(path.read_bytes()[:-20])
        assert "val.txt.gz: is damaged or of another kind" in self.refused(config)

    def test_text_that_is_not_utf_8(self, tmp_path: Path) -> None:
        config = of_text(tmp_path, STORIES[:50], STORIES[50:])
        (tmp_path / "train.txt").write_bytes(b"caf\xe9 " * 50)
        assert "train.txt: is not UTF-8 text" in self.refused(config)
