"""What people bring: their config file, tokens of any kind, GPT-2's vocabulary files, another precision."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from projects.language_model.__main__ import STUDY
from projects.language_model.config import Config
from projects.language_model.data import Tokens, load_tokens
from projects.language_model.data.vocabulary import decode, encode
from projects.language_model.device import open_device
from projects.language_model.problem import DeviceProblem
from projects.language_model.train import Measurement, train
from projects.language_model.trained import TrainedModel
from rothamsted.studies.command_line import parse
from tests.projects.language_model.small import measurements, small

# The sizes of CS336 (Stanford, spring 2025), assignment 1, version 1.0.4, pages 39 to 41, with the usual keys.
PUBLISHED = """{
  "description": "Baseline 17M parameter model on TinyStories",
  "dataset": "TinyStories",
  "vocab_size": 10000,
  "context_length": 256,
  "d_model": 512,
  "num_layers": 4,
  "num_heads": 16,
  "d_ff": 1344,
  "rope_theta": 10000.0,
  "batch_size": 128,
  "max_iterations": 10000,
  "learning_rate": 0.001,
  "min_learning_rate": 0.0001,
  "warmup_iters": 200,
  "weight_decay": 0.01,
  "beta1": 0.9,
  "beta2": 0.999,
  "grad_clip": 1.0,
  "train_data_path": "tokens/train.npy",
  "val_data_path": "tokens/val.npy",
  "device": null,
  "dtype": "float32",
  "seed": 42,
  "log_interval": 100,
  "eval_interval": 500,
  "checkpoint_interval": 1000
}"""
SHORTER = ("--batch_size", "1", "--max_iterations", "2", "--warmup_iters", "1", "--eval_sequences", "1")


def given(folder: Path, train_tokens: np.ndarray, val: np.ndarray, **fields: object) -> Config:
    """A config of two token files."""
    folder.mkdir(exist_ok=True)
    paths = {"train_data_path": folder / "train.npy", "val_data_path": folder / "val.npy"}
    for path, tokens in zip(paths.values(), (train_tokens, val), strict=True):
        np.save(path, tokens)
    return small(dataset="mine", **{name: str(path) for name, path in paths.items()}, **fields)


def model_of(config: Config) -> TrainedModel:
    """What training returns."""
    training = train([config])
    while True:
        try:
            next(training)
        except StopIteration as ended:
            return ended.value[0]


def test_the_published_file_runs_word_for_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "baseline.json").write_text(PUBLISHED)
    (tmp_path / "tokens").mkdir()
    for part in ("train", "val"):
        np.save(tmp_path / "tokens" / f"{part}.npy", np.random.default_rng(0).integers(0, 10_000, 2000))
    config, _ = parse(STUDY, ["--config", "baseline.json"])
    assert config == Config(**json.loads(PUBLISHED))
    assert open_device(config) == open_device(config.model_copy(update={"device": "auto"}))
    shorter, _ = parse(STUDY, ["--config", "baseline.json", *SHORTER])
    assert [m.step for m in measurements(shorter)] == [0, 2]  # the whole model, two updates of it


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", ">u2", "int32", "uint32", "int64", "uint64"])
def test_tokens_of_any_integer_type_train_to_the_same_bits(tmp_path: Path, dtype: str) -> None:
    tokens = np.random.default_rng(0).integers(0, 250, (2, 400))
    losses = [
        [m.metrics["train_loss"][0] for m in measurements(given(tmp_path, *tokens.astype(kind)))]
        for kind in ("uint16", dtype)
    ]
    assert losses[0] == losses[1]


def test_without_a_vocabulary_the_rest_is_measured_and_it_says_why_text_is_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = given(tmp_path, *np.random.default_rng(0).integers(0, 65, (2, 400), np.uint8), vocab_size=65)
    with caplog.at_level(logging.WARNING):
        found = [(m, m.artifacts()[0]) for m in train([config]) if m is not None]
    why = (
        f"{tmp_path}: holds no vocabulary of the tokens, so bits per byte are not measured and no samples are written; "
        "put tokenizer.json there, or vocab.json and merges.txt"
    )
    assert caplog.messages == [why]
    assert all({"val_loss", "val_perplexity"} <= set(m.metrics) for m, _ in found)
    assert not any("val_bits_per_byte" in m.metrics for m, _ in found)
    assert [artifacts for _, artifacts in found] == [{"samples/why_none.txt": f"{why}\n"}, {}, {}, {}]
    model = model_of(config)
    assert set(model.test_metrics) == {"test/loss", "test/perplexity"}
    assert model.predict(model.input_example).shape == (1, model.n_tokens)


def gpt2_files(folder: Path, tokens: Tokens) -> None:
    """The vocabulary of some tokens as GPT-2 writes it."""
    assert tokens.tokenizer_json is not None
    parts = json.loads(tokens.tokenizer_json)["model"]
    (folder / "vocab.json").write_text(json.dumps(parts["vocab"]))
    pairs = [" ".join(pair) if isinstance(pair, list) else pair for pair in parts["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *pairs, ""]))


def test_gpt_2_files_are_the_vocabulary_that_they_were_written_from(tmp_path: Path, tokens: Tokens) -> None:
    config = given(tmp_path, tokens.train[:500], tokens.val[:300])
    gpt2_files(tmp_path, tokens)
    found = load_tokens(config)
    assert found.tokenizer_json is not None
    assert tokens.tokenizer_json is not None
    text = "Zoë said: “Once upon a time…”\n\nThe end."
    numbers = encode(tokens.tokenizer_json, text)
    assert encode(found.tokenizer_json, text) == numbers
    assert decode(found.tokenizer_json, [*numbers, found.end]) == text
    assert (found.end, found.bytes_of.tolist()) == (tokens.end, tokens.bytes_of.tolist())  # type: ignore[union-attr]
    assert "val_bits_per_byte" in measurements(config)[0].metrics
    assert isinstance(Tokenizer.from_str(found.tokenizer_json), Tokenizer)


def test_float16_trains_as_float32_does() -> None:
    # Ten bits of mantissa: gradients and losses agree to about 2^-10.
    losses = [
        np.array([m.metrics["val_loss"][0] for m in measurements(small(dtype=dtype, max_iterations=24))])
        for dtype in ("float32", "float16")
    ]
    assert losses[0][-1] < losses[0][0] - 0.01
    assert losses[1] == pytest.approx(losses[0], abs=5e-3)


def first_state(config: Config) -> dict[str, np.ndarray]:
    """That at step 0."""
    first = next(train([config]))
    assert first is not None
    return first.state()


def bits(measured: Measurement) -> bytes:
    return b"".join(measured.metrics[name].tobytes() for name in ("train_loss", "val_loss", "grad_norm"))


def test_float16_goes_on_to_the_bit_with_its_scale_and_the_updates_that_overflowed() -> None:
    config = small(dtype="float16", learning_rate=0.02)
    start = first_state(config)
    start["scaler/scale"] = np.array(2.0**40)  # the first updates overflow, and are left out
    whole, state = [], start
    for m in train([config], start):
        if m is not None:
            whole.append(m)
            state = m.state() if m.step == 8 else state
    assert state["scaler/scale"] < 2.0**40
    assert state["scaler/steps"] < 8
    assert [bits(m) for m in measurements(config, state)] == [bits(m) for m in whole if m.step > 8]


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has an Apple GPU")
def test_an_apple_gpu_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(
        DeviceProblem, match=r"^device: 'mps' is not available: torch finds no Apple GPU; set it to " "cpu"
    ):
        open_device(small(device="mps"))
