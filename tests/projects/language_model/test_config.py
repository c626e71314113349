"""The config: the usual keys, the files that ship, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from projects.language_model.config import Config, n_updates
from rothamsted.studies.command_line import parse

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "projects" / "language_model" / "configs").glob("*.yaml"))
USUAL_TEXT = """description dataset vocab_size context_length d_model num_layers num_heads d_ff rope_theta batch_size
max_iterations learning_rate min_learning_rate warmup_iters weight_decay beta1 beta2 grad_clip train_data_path
val_data_path device dtype seed log_interval eval_interval checkpoint_interval"""
USUAL = set(USUAL_TEXT.split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_config_that_ships_is_valid_says_what_it_is_for_and_has_the_usual_keys(path: Path) -> None:
    text = path.read_text()
    assert all(f"# {word}: " in text for word in ("Question", "Cost", "Expected", "Source"))
    fields = yaml.safe_load(text)
    assert set(fields) >= USUAL
    assert Config(**fields).description


@pytest.mark.parametrize("path", [path for path in FILES if path.stem != "tiny"], ids=lambda path: path.stem)
def test_a_config_that_names_a_source_says_where_it_departs_from_it(path: Path) -> None:
    assert "\n# Departs: " in path.read_text()


def test_tiny_is_the_default() -> None:
    (tiny,) = (path for path in FILES if path.stem == "tiny")
    fields = yaml.safe_load(tiny.read_text())
    default = Config().model_copy(update={"description": fields["description"]})
    assert Config(**fields).model_copy(update={"d_ff": None, "min_learning_rate": None}) == default


def test_a_json_file_of_the_usual_keys_runs_as_it_is(tmp_path: Path) -> None:
    from projects.language_model.__main__ import STUDY

    fields = {
        "description": "theirs",
        "dataset": "tinystories",
        "vocab_size": 10000,
        "context_length": 256,
        "d_model": 512,
        "num_layers": 4,
        "num_heads": 16,
        "d_ff": 1344,
        "rope_theta": 10000.0,
        "batch_size": 64,
        "max_iterations": 10000,
        "learning_rate": 1e-3,
        "min_learning_rate": 1e-5,
        "warmup_iters": 500,
        "weight_decay": 0.1,
        "beta1": 0.9,
        "beta2": 0.95,
        "grad_clip": 1.0,
        "train_data_path": "tokens/train.bin",
        "val_data_path": "tokens/val.bin",
        "device": "cuda",
        "dtype": "bfloat16",
        "seed": 42,
        "log_interval": 100,
        "eval_interval": 500,
        "checkpoint_interval": 1000,
    }
    assert set(fields) == USUAL
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps(fields))  # 1e-05: a number to JSON, text to YAML
    config, _ = parse(STUDY, ["--config", str(path), "--seed", "7"])
    assert config == Config(**{**fields, "seed": 7})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"num_heads": 3}, "num_heads: 3 heads do not divide d_model 128; choose a divisor"),
        ({"d_model": 12, "num_heads": 4}, "num_heads: heads of width 3 (d_model 12 / 4) cannot be rotated"),
        ({"feed_forward": "silu", "d_ff": 7}, "d_ff: silu has 3/2 d_ff hidden units, so d_ff must be even, not 7"),
        ({"accumulation_steps": 3}, "accumulation_steps: 3 parts do not divide batch_size 16; choose a divisor"),
        ({"warmup_iters": 301}, "warmup_iters: 301 updates of warm-up are more than the 300 updates of this run"),
        ({"min_learning_rate": 0.1}, "min_learning_rate: 0.1 is above learning_rate 0.003; make it smaller"),
        ({"train_data_path": "a.bin"}, "train_data_path: is given alone; give train_data_path and val_data_path"),
        ({"train_data_path": "a", "val_data_path": "b"}, "dataset: 'stories' is made on the fly and reads no file"),
        ({"dataset": "books"}, "dataset: 'books' is not known here (stories, tinystories); give train_data_path"),
        ({"vocab_size": 256}, "greater than or equal to 257"),
        ({"vocab_size": 70_000}, "less than or equal to 65536"),
        ({"device": "gpu"}, "must be auto, cpu, mps, cuda, or cuda:N"),
        ({"learning_rat": 0.1}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_a_mistake_is_refused_with_field_rule_value_and_way_out(fields: dict, says: str) -> None:
    with pytest.raises(ValidationError) as error:
        Config(**fields)
    assert says in str(error.value)


def test_a_number_of_tokens_gives_the_updates_of_any_batch_size() -> None:
    # 64,000 tokens in batches of 8 x 64 and 32 x 64: 125 and 31.25 updates.
    updates = [n_updates(Config(max_tokens=64_000, batch_size=size, warmup_iters=5)) for size in (8, 32)]
    assert updates == [125, 31]
