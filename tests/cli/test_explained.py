"""What `rothamsted explain` says of the keys of a sweep file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rothamsted.cli.main import main
from rothamsted.spec import FILE_KEYS, load_sweep
from rothamsted.spec.examples import EXAMPLES
from rothamsted.spec.explain import explained_keys
from rothamsted.spec.overrides import ALONE, OBJECTIVE_KEYS

PARAMETERS = {
    **dict.fromkeys(("width", "steps", "batch_size", "seed", "data.seed"), int),
    **dict.fromkeys(("optimizer.lr",), float),
    "data.name": str,
}
BASE = {
    "name": "example",
    "study": "batch_size",
    "space": {"optimizer.lr": [0.1, 0.2], "batch_size": [16, 64]},
    "objective": {"metric": "val_loss", "direction": "minimize"},
}
BESIDE = {  # what an example needs beside it
    "command": {"study": None, "space": {"lr": [0.1, 0.2]}},
    **{key: {"objective": None, "metric": "val_loss", "direction": "minimize"} for key in OBJECTIVE_KEYS},
    "project": {"study": None, "seed_parameter": "seed"},
    "undeclared": {"study": None, "project": ".", "seed_parameter": "seed"},
    "entry_point": {"study": None, "project": ".", "seed_parameter": "seed"},
    "version": {"study": None, "project": "https://github.com/somebody/theirs", "seed_parameter": "seed"},
    "warm_start": {"sampler": "tpe", "trials": 4},
    "trials": {"sampler": "random"},
    "seed_parameter": {"study": None, "project": "."},
    "execution": {"study": None, "project": ".", "seed_parameter": "seed"},
    "objective.artifact": {"study": None, "project": ".", "seed_parameter": "seed"},
    "task": {"space": {"data.name": ["a", "b"], "batch_size": [16, 64]}},
    "promote": {"confirm": {}},
    "sampler": {"trials": 4},
    "space": {"parameters": {}},
}


def test_every_key_has_a_type_a_meaning_and_an_example() -> None:
    keys = explained_keys()
    assert {key.partition(".")[0] for key in keys} == {*FILE_KEYS, *ALONE, "parameters_file", "short_forms"}
    assert [key for key, one in keys.items() if not (one.type and one.meaning and one.example and one.default)] == []
    assert set(EXAMPLES) <= set(keys)


@pytest.mark.parametrize("key", [key for key in EXAMPLES if key != "parameters_file"])
def test_an_example_is_taken_in_a_sweep_file_and_holds_its_key(key: str, tmp_path: Path) -> None:
    example = yaml.safe_load(EXAMPLES[key])
    first = key.partition(".")[0]
    assert first in example
    beside = BESIDE.get(key) or BESIDE.get(first, {})
    if first == "execution" and key.split(".")[-1] in (
        "artifacts",
        "checkpoints",
        "tensorboard",
        "population",
        "execution",
    ):
        beside = {}
    whole = {name: value for name, value in {**BASE, **beside, **example}.items() if value is not None}
    path = tmp_path / "example.yaml"
    path.write_text(yaml.safe_dump(whole))
    sweep = load_sweep(
        path,
        parameter_names=lambda study: PARAMETERS if study == "batch_size" else None,
        project_parameters=lambda uri, entry, version: {**PARAMETERS, "random_state": None},
        root=tmp_path,
        taken=lambda own, other, take, storage: {"values": {"width": 64}},  # the other sweep's winner
    )
    assert sweep.name in ("example", "first")


def test_a_key_is_explained_in_lines_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "execution.timeout_per_trial"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("execution.timeout_per_trial: A replicate that takes longer than this has failed.")
    assert lines[1] == "  type: seconds, or a duration such as 90s, 10m or 2h"
    assert main(["explain", "confirm.keep", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["default"], said["type"]) == ("1", "a whole number at least 1, at most 1,000")


def test_an_unknown_key_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "replicates.racng"]) == 2
    assert "replicates.racng: is not a key of a sweep file; did you mean replicates.racing" in capsys.readouterr().err
