"""What a config takes and refuses, also from a file in the original's words, and which configs share a call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from projects.global_workspace.__main__ import STUDY
from projects.global_workspace.config import Config, LossWeights
from projects.global_workspace.population import is_longer, static_key
from rothamsted.errors import StudyError
from rothamsted.studies import flatten, population_key, set_fields
from rothamsted.studies.command_line import parse
from rothamsted.sweeping.open.from_file import load
from tests.conftest import ROOT

# The keys and the spelling of the original's files: domains v and attr, a list of loss configurations.
ORIGINAL: dict[str, Any] = {
    "data": {"n_train": 256, "n_val": 128, "n_test": 128, "n_unique": 2},  # 128 combinations of 7 bits
    "model": {
        "domains": [{"domain_type": "v_latents", "name": "v"}, {"domain_type": "attr", "name": "attr"}],
        "workspace_dim": 12,
        "hidden_dim": 128,
        "decoder_hidden_dim": 64,
        "n_layers": 4,
        "fusion_weights": {"v": 0.3, "attr": 0.7},
    },
    "synergy": {
        "domains": ["attr", "v"],
        "feature_indices": {"attr": [0]},
        "loss_scale": 2.0,
        "unique_indices": {"attr": [0], "v": [1]},
        "redundant_indices": {"attr": [], "v": [0]},
    },
    "training": {
        "epochs": 50,
        "optimizer": {"type": "Adam", "lr": 1e-3, "weight_decay": 0.0},
        "loss_configs": [{"name": "fusion_only", "weights": {"fusion": 1.0, "cycle": 0.0}}],
    },
}


def test_the_originals_spelling_is_understood() -> None:
    config = set_fields(Config, ORIGINAL)
    assert config.model.domains == config.synergy.domains == ("visual", "attributes")
    assert (config.model.fusion_weights.visual, config.model.fusion_weights.attributes) == (0.3, 0.7)
    assert config.synergy.unique_indices.visual == (1,)
    assert (config.targets_of("visual"), config.targets_of("attributes")) == ((0,), (0,))
    # There a weight that is not named is 0.
    weights = LossWeights(fusion=1.0, demi_cycle=0.0, cycle=0.0, translation=0.0, contrastive=0.0)
    assert config.training.loss_configs.weights == weights


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_the_originals_file_runs_as_it_is(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"original.{suffix}"
    path.write_text(json.dumps(ORIGINAL) if suffix == "json" else yaml.safe_dump(ORIGINAL), encoding="utf-8")
    config, _ = parse(STUDY, ["--config", str(path), "--synergy.loss_scale", "0.5"])
    assert config == set_fields(Config, {**ORIGINAL, "synergy": {**ORIGINAL["synergy"], "loss_scale": 0.5}})


def test_a_sweep_starts_from_the_originals_file(tmp_path: Path) -> None:
    (tmp_path / "original.json").write_text(json.dumps(ORIGINAL), encoding="utf-8")
    sweep = {"name": "s", "study": "global_workspace", "parameters_file": str(tmp_path / "original.json")}
    sweep |= {"space": {"synergy.loss_scale": [0.5, 1.0]}, "sampler": {"name": "grid"}, "replicates": {"count": 2}}
    sweep["objective"] = {"metric": "validation/loss", "direction": "minimize"}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(sweep), encoding="utf-8")
    parameters = load(tmp_path / "s.yaml", {}, ROOT)[0].parameters
    expected = flatten(set_fields(Config, ORIGINAL))
    assert parameters["model.fusion_weights.visual"] == 0.3
    assert {name: expected[name] for name in parameters} == dict(parameters)


def test_a_wrong_value_beside_the_originals_spelling_is_what_the_error_says(tmp_path: Path) -> None:
    path = tmp_path / "original.json"
    path.write_text(json.dumps({**ORIGINAL, "training": {"epochs": 0}}), encoding="utf-8")
    with pytest.raises(StudyError, match=r"original.json: training.epochs of Config: .*greater than or equal to 1"):
        parse(STUDY, ["--config", str(path)])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "one domain": ({"model.domains": ["v"]}, "a workspace joins visual and attributes, not only visual"),
    "unknown domain": ({"model.domains": ["v", "text"]}, "takes visual and attributes"),
    "too narrow padding": ({"model.max_workspace_dim": 4}, "max_workspace_dim=4 is less than workspace_dim=12"),
    "idle temperature": ({"model.temperature": 1.0}, "has no effect on selection 'fixed'"),
    "nothing fused": ({"model.fusion_weights": {"v": 0, "attr": 0}}, "nothing would enter the workspace"),
    "no such target": ({"synergy.feature_indices.visual": [1]}, r"the number of synergy targets is 1 \(data\)"),
    "no such unique bit": ({"synergy.unique_indices.attributes": [0, 0]}, r"the number of unique bits is 1 \(data\)"),
    "target without decoder": (
        {"synergy.domains": ["attr"], "synergy.feature_indices.visual": [0]},
        "visual is not in synergy.domains",
    ),
    "no target": ({"synergy.feature_indices": {"v": [], "attr": []}}, "no decoder gives a target"),
    "no synergy domain": ({"synergy.domains": []}, "for no prior set synergy.loss_scale to 0"),
    "nothing trained": (
        {"synergy.loss_scale": 0, "training.loss_configs.weights": dict.fromkeys(LossWeights.model_fields, 0.0)},
        "nothing would be trained",
    ),
    "adam that decays": (
        {"training.optimizer.type": "Adam", "training.optimizer.weight_decay": 0.1},
        "Adam has no weight_decay",
    ),
    "two loss configurations": (
        {"training.loss_configs": [{"name": "a", "weights": {}}, {"name": "b", "weights": {}}]},
        "one run trains one of them, not 2",
    ),
    "unknown weight": ({"training.loss_configs.weights.fused": 1.0}, "fused is not a field"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_mistake_is_refused_in_one_line(name: str) -> None:
    fields, message = REFUSED[name]
    with pytest.raises(StudyError, match=message) as refused:
        set_fields(Config, fields)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "is_shared"),
    [
        ({"seed": 1, "synergy.loss_scale": 3.0, "training.optimizer.lr": 0.1}, True),
        ({"training.loss_configs.weights.cycle": 0.0, "training.optimizer.weight_decay": 0.1}, True),
        ({"model.workspace_dim": 3}, True),
        ({"model.workspace_dim": 3, "model.max_workspace_dim": None}, False),
        ({"training.n_pairs": 512}, False),  # all rows are one program, matched ones another
        ({"training.epochs": 3}, False),
    ],
)
def test_what_may_differ_in_one_compiled_call(fields: dict[str, Any], is_shared: bool) -> None:
    padded = {"model.max_workspace_dim": 16}
    same = population_key(STUDY, set_fields(Config, padded)) == population_key(
        STUDY, set_fields(Config, padded | fields)
    )
    assert same is is_shared


def test_the_number_of_pairs_may_differ_from_a_full_batch_on() -> None:
    keys = [static_key(set_fields(Config, {"training.n_pairs": n})) for n in (64, 256, 512)]
    assert keys[1] == keys[2] != keys[0]


def test_two_paddings_are_two_programs() -> None:
    keys = [static_key(set_fields(Config, {"model.max_workspace_dim": n})) for n in (16, 32)]
    assert keys[0] != keys[1]


def test_a_longer_training_goes_on_from_a_shorter_one_where_the_rate_is_constant() -> None:
    constant = {"training.optimizer.schedule": "constant"}
    short, long = (set_fields(Config, {**constant, "training.epochs": n, "evals": n}) for n in (2, 4))
    assert is_longer(long, short)
    assert not is_longer(short, long)
    assert not is_longer(set_fields(Config, {"training.epochs": 4}), set_fields(Config, {"training.epochs": 2}))
