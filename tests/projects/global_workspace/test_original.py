"""The original's template and folder of exclusive-or targets: what each key becomes, what is said of the others."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from projects.files.problem import DataProblem
from projects.global_workspace.__main__ import STUDY
from projects.global_workspace.config import Config, LossWeights
from projects.global_workspace.data.config import DataConfig
from projects.global_workspace.data.load import load_data
from rothamsted.errors import StudyError
from rothamsted.records import Outcome
from rothamsted.studies import drive, set_fields
from rothamsted.studies.command_line import parse
from rothamsted.sweeping.open.from_file import load
from tests.conftest import ROOT
from tests.projects.global_workspace.data.small import write_xor_folder

# The public program's default configuration, with decoder_hidden_dim as in the README of its sweep.
TEMPLATE = Path(__file__).parent / "original" / "config_multi_run_template.json"
PAGE = ROOT / "docs" / "studies" / "global_workspace.md"
SMALL = {"training.epochs": 1, "model.hidden_dim": 8, "model.decoder_hidden_dim": 8, "model.n_layers": 0}


def written(path: Path, **changes: Any) -> Path:
    """The template with other values under some of its dotted keys (a double underscore is a dot)."""
    data = json.loads(TEMPLATE.read_text(encoding="utf-8"))
    for name, value in changes.items():
        *parents, leaf = name.split("__")
        part = data
        for parent in parents:
            part = part[parent]
        part[leaf] = value
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_the_template_runs_as_it_is_and_one_note_names_what_has_no_effect(capsys: pytest.CaptureFixture[str]) -> None:
    config, _ = parse(STUDY, ["--config", str(TEMPLATE)])
    assert isinstance(config, Config)
    assert (config.data.name, config.data.path) == ("xor_targets", "data/simple_shapes_xor_targets")
    assert (config.training.batch_size, config.training.epochs, config.training.grad_clip) == (32, 50, 1.0)
    optimizer = config.training.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay, optimizer.schedule) == ("Adam", 1e-3, 0.0, "constant")
    assert (config.model.hidden_dim, config.model.decoder_hidden_dim, config.model.n_layers) == (128, 128, 4)
    assert (config.targets_of("attributes"), config.targets_of("visual")) == ((0, 1, 2), ())  # 8 classes are 3 bits
    zeros = LossWeights(fusion=1.0, demi_cycle=0.0, cycle=0.0, translation=0.0, contrastive=0.0)
    assert (config.training.loss_configs.name, config.training.loss_configs.weights) == ("fusion_only", zeros)
    [note] = capsys.readouterr().err.splitlines()
    assert note.startswith(f"note: {TEMPLATE}: no effect here: ")
    for name in ("data.num_workers", "checkpoint_path", "domain_type", "reset_model_per_experiment", "experiment ("):
        assert name in note
    assert "fusion_demi, fusion_cycle, translation_only, all_losses" in note


def test_the_same_fields_by_python_and_in_a_sweep(tmp_path: Path) -> None:
    config, _ = parse(STUDY, ["--config", str(TEMPLATE)])
    assert set_fields(Config, json.loads(TEMPLATE.read_text(encoding="utf-8"))) == config
    sweep: dict[str, Any] = {"name": "s", "study": "global_workspace", "parameters_file": str(TEMPLATE)}
    sweep |= {"space": {"model.workspace_dim": [8, 12], "synergy.loss_scale": [0.5, 1.0]}, "replicates": {"count": 2}}
    sweep |= {"sampler": {"name": "grid"}, "objective": {"metric": "validation/loss", "direction": "minimize"}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(sweep), encoding="utf-8")
    parameters = load(tmp_path / "s.yaml", {}, ROOT)[0].parameters
    assert (parameters["data.path"], parameters["training.batch_size"]) == ("data/simple_shapes_xor_targets", 32)


def test_a_loss_configuration_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = written(tmp_path / "c.json", experiment_type="all_losses")
    config, _ = parse(STUDY, ["--config", str(path)])
    weights = LossWeights(fusion=0.5, demi_cycle=0.5, cycle=0.5, translation=0.5, contrastive=0.0)
    assert config.training.loss_configs.weights == weights  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"experiment_type": "fusion"}, "'fusion' is not exactly one of fusion_only, fusion_demi"),
        ({"training__epoch": 3}, "training.epoch is not a field of Config; did you mean training.epochs"),
        ({"training__batch_size": 3}, "data.batch_size and training.batch_size are both given"),
        ({"synergy__feature_indices": {"attr": ["xor_target"]}}, "synergy.feature_indices.attributes"),
        ({"synergy__unique_indices": {"attr": [0]}}, "the number of unique bits is 0"),
        ({"data__n_unique": 2}, "n_unique has no effect on name='xor_targets'"),
        ({"training__optimizer": {"type": "SGD"}}, "training.optimizer.type"),
    ],
)
def test_a_mistake_in_the_template_is_one_line(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "c.json", **changes)
    with pytest.raises(StudyError, match=re.escape(message)) as refused:
        parse(STUDY, ["--config", str(path)])
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_page_says_what_every_key_of_the_template_becomes() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## The original's files")[2].partition("\n## ")[0]
    told = set(
        re.findall(r"`([\w.]+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if line[:1] == "|"))
    )
    assert {key for key in _keys(json.loads(TEMPLATE.read_text(encoding="utf-8"))) if key not in told} == set()


def _keys(data: Any, prefix: str = "") -> set[str]:
    """Dotted keys; of a list of records those of the first, and of fusion weights and indices not the domains."""
    found: set[str] = set()
    for name, value in data.items():
        inner = value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else value
        is_by_name = name in ("fusion_weights", "feature_indices", "unique_indices", "redundant_indices", "weights")
        deeper = isinstance(inner, dict) and not is_by_name
        found |= _keys(inner, f"{prefix}{name}.") if deeper else {f"{prefix}{name}"}
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_xor_folder(tmp_path / "simple_shapes_xor_targets")
    return tmp_path / "simple_shapes_xor_targets"


def xor(folder: Path, **settings: Any) -> DataConfig:
    return DataConfig.model_validate({"name": "xor_targets", "path": str(folder), **settings})


def test_targets_are_those_of_the_files_whatever_a_formula_says(folder: Path) -> None:
    table = np.load(folder / "val_xor_targets.npy")
    others = np.random.default_rng(0).permutation(len(table)) % 8
    table["xor_target_normalized"] = others / np.float32(7)
    np.save(folder / "val_xor_targets.npy", table)
    synergy = load_data(xor(folder)).validation.synergy
    assert np.array_equal(synergy @ [1, 2, 4], others)


def test_views_of_the_folder_are_latent_and_size_and_attributes_without_size(folder: Path) -> None:
    data = load_data(xor(folder))
    assert data.dims == {"visual": 13, "attributes": 11}
    table, labels = np.load(folder / "train_xor_targets.npy"), np.load(folder.parent / "train_labels_nosize.npy")
    visual, attributes = (data.train.domains[name] for name in ("visual", "attributes"))
    latents = np.load(folder.parent / "saved_latents" / "train" / "vae_future.npy")
    assert np.array_equal(visual, np.hstack([latents[:, 0], table["size_normalized"][:, None]]).astype(np.float32))
    # By hand, the original's units: (x - 7) / 17, red / 255, the random number as it is.
    by_hand = np.column_stack([(labels[:, 1] - 7) / 17, labels[:, 4] / 255, labels[:, 7]]).astype(np.float32)
    assert np.array_equal(attributes[:, [3, 7, 10]], by_hand)
    assert np.array_equal(attributes[:, :3].argmax(axis=1), labels[:, 0])


def test_the_lowest_bit_of_the_target_is_synergy_alone(folder: Path) -> None:
    # (a + b) mod 8 has the lowest bit a0 xor b0; with b uniform it tells nothing about a: 1 bit by both, 0 by either.
    data = load_data(xor(folder))
    size, random = (data.source(data.train, domain, 0) for domain in ("visual", "attributes"))
    assert np.array_equal(data.train.synergy[:, 0], (size ^ random) & 1)


def test_the_text_table_is_read_where_the_other_is_missing(folder: Path) -> None:
    expected = load_data(xor(folder)).train.synergy
    (folder / "train_xor_targets.npy").unlink()
    again = load_data(xor(folder, n_val=256)).train.synergy
    assert np.array_equal(again, expected)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _without_name(path: Path) -> None:
    np.save(path, np.load(path)[["size_normalized", "size_bin"]])
    path.with_suffix(".csv").unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "test_xor_targets.npy").unlink() or (folder / "test_xor_targets.csv").unlink(),
         r"test_xor_targets\.npy: cannot be read \(No such file"),
        (lambda folder: _cut(folder / "val_xor_targets.npy"), r"val_xor_targets\.npy: is damaged"),
        (lambda folder: _without_name(folder / "val_xor_targets.npy"), "has no column random_bin, xor_target"),
        (lambda folder: (folder.parent / "val_labels_nosize.npy").unlink(), r"val_labels_nosize\.npy: cannot be read"),
        (lambda folder: np.save(folder.parent / "val_labels_nosize.npy", np.zeros((3, 8))), r"\(512, 8\) for 512"),
        (lambda folder: (folder.parent / "saved_latents/val/vae_future.npy").unlink(), "there are no visual latents"),
        (lambda folder: np.save(folder.parent / "saved_latents/val/b.npy", np.zeros(3)), "holds several latents"),
        (lambda folder: np.save(folder / "val_visual_features.npy", np.zeros(3)), r"latents are \(512 or more, d\)"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_folder_is_one_line(change: Any, message: str, folder: Path) -> None:
    change(folder)
    with pytest.raises(DataProblem, match=message) as refused:
        load_data(xor(folder))
    assert "\n" not in str(refused.value)


def test_a_table_of_names_alone_is_refused_without_a_warning_beside_it(folder: Path) -> None:
    (folder / "val_xor_targets.npy").unlink()
    table = folder / "val_xor_targets.csv"
    table.write_text(table.read_text().partition("\n")[0] + "\n")
    with warnings.catch_warnings(action="error"), pytest.raises(DataProblem, match="and that of columns 1"):
        load_data(xor(folder))


def test_other_bins_than_the_file_has_are_refused(folder: Path) -> None:
    with pytest.raises(DataProblem, match=r"train targets are not multiples of 1/3 .* set data\.n_bins"):
        load_data(xor(folder, n_bins=4))
    with pytest.raises(DataProblem, match="has 512 train rows, but 513 are needed"):
        load_data(xor(folder, n_train=513))


def test_the_template_trains_on_the_folder(folder: Path, tmp_path: Path) -> None:
    path = written(tmp_path / "c.json", data__dir=str(folder), data__batch_size=64)
    config, _ = parse(STUDY, ["--config", str(path), *(f"--{name}={value}" for name, value in SMALL.items())])
    (ending,) = drive(STUDY, [config], on_measurement=lambda member, measured: None)
    assert ending.outcome is Outcome.FINISHED, ending.reason
    last = ending.history[-1].metrics
    assert last["decoder/synergy_accuracy"] == pytest.approx(0.5, abs=0.1)  # nothing is learnt in 8 steps
    assert not [name for name in last if name.startswith(("probe/unique", "probe/redundant"))]
    assert ending.model.predict(ending.model.input_example)["synergy"].shape == (5, 3)
