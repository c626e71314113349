"""Synthetic expansion: where copies come from, that none leaks, its provenance, and the DVC stage that makes it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from projects.emnist_mlp.data import DataConfig, DataProblem, load_dataset
from projects.emnist_mlp.data.emnist import read_folder
from projects.emnist_mlp.data.split import split_rows
from projects.emnist_mlp.data.synthetic import IMAGES, METADATA, TENSORS, prepare_synthetic, train_digest
from tests.conftest import ROOT
from tests.projects.emnist_mlp.files import idx_files, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """EMNIST in small: 47 classes of 4 training images."""
    return write(tmp_path / "emnist", idx_files())


def expanded(folder: Path, target: Path, **fields: object) -> DataConfig:
    return DataConfig.model_validate({"name": "emnist", "path": str(folder), "synthetic": str(target), **fields})


def test_each_class_gets_its_budget_from_its_own_rows(folder: Path, tmp_path: Path) -> None:
    target = prepare_synthetic(source=str(folder), target=tmp_path / "out", per_class=6)
    source = read_folder(folder)
    with np.load(target / IMAGES) as made:
        assert np.bincount(made["y"]).tolist() == [6] * 47
        np.testing.assert_array_equal(source.train.y[made["parent"]], made["y"])
        # By hand: 6 copies of 4 rows take each once, and two of them again.
        assert np.bincount(np.bincount(made["parent"])).tolist() == [0, 2 * 47, 2 * 47]
        assert not np.array_equal(made["x"], source.train.x[made["parent"]])


def test_no_copy_of_a_validation_row_is_trained_on(folder: Path, tmp_path: Path) -> None:
    target = prepare_synthetic(source=str(folder), target=tmp_path / "out", per_class=4)
    source = read_folder(folder)
    chosen, kept = split_rows(source.train.y, n_train=None, n_validation=47, seed=0)
    data = load_dataset(expanded(folder, target, n_validation=47))
    # By hand: every row has one copy, a quarter of the rows is for validation: 141 rows and their 141 copies.
    assert len(data.train.y) == 2 * 141
    with np.load(target / IMAGES) as made:
        forbidden = {x.tobytes() for x in made["x"][np.isin(made["parent"], kept)]}
        wanted = {x.tobytes() for x in made["x"][np.isin(made["parent"], chosen)]}
    trained_on = {x.tobytes() for x in data.train.x}
    assert not forbidden & trained_on
    assert wanted <= trained_on


def test_validation_and_test_are_those_without_expansion(folder: Path, tmp_path: Path) -> None:
    target = prepare_synthetic(source=str(folder), target=tmp_path / "out", per_class=2)
    plain = load_dataset(DataConfig(name="emnist", path=str(folder)))
    more = load_dataset(expanded(folder, target))
    np.testing.assert_array_equal(plain.validation.x, more.validation.x)
    np.testing.assert_array_equal(plain.test.x, more.test.x)
    assert plain.digest != more.digest


def test_equal_calls_write_equal_bytes_and_seeds_other_ones(folder: Path, tmp_path: Path) -> None:
    made = [
        prepare_synthetic(source=str(folder), target=tmp_path / name, per_class=2, seed=seed)
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    ]
    first, again, other = ({path.name: path.read_bytes() for path in sorted(target.iterdir())} for target in made)
    assert first == again
    assert first[IMAGES] != other[IMAGES]


def test_the_metadata_say_where_the_images_come_from(folder: Path, tmp_path: Path) -> None:
    target = prepare_synthetic(
        source=str(folder), target=tmp_path / "out", per_class=2, seed=5, augmentations="noise, affine"
    )
    found = json.loads((target / METADATA).read_text())
    assert (found["seed"], found["per_class"], found["n_images"]) == (5, 2, 94)
    assert found["augmentations"] == {"affine": 1.0, "noise": 0.1}
    assert found["source"] == {
        "name": "emnist",
        "folder": str(folder),
        "train_digest": train_digest(read_folder(folder)),
    }
    assert set(found["versions"]) == {"numpy", "torch"}


def test_copies_are_also_tensors_where_that_is_asked_for(folder: Path, tmp_path: Path) -> None:
    target = prepare_synthetic(source=str(folder), target=tmp_path / "out", per_class=2, pt=True)
    tensors = torch.load(target / TENSORS, weights_only=True)
    with np.load(target / IMAGES) as made:
        for name, array in (("images", made["x"]), ("labels", made["y"]), ("parents", made["parent"])):
            np.testing.assert_array_equal(tensors[name].numpy(), array)
            assert tensors[name].numpy().dtype == array.dtype
    prepare_synthetic(source=str(folder), target=target, per_class=1)
    assert not (target / TENSORS).exists()  # they would be those of the call before


def test_the_source_may_be_named(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, tmp_path / "data" / "emnist", dirs_exist_ok=True)
    by_name = prepare_synthetic(source="emnist", target=tmp_path / "a", per_class=1)
    by_folder = prepare_synthetic(source="data/emnist", target=tmp_path / "b", per_class=1)
    assert (by_name / METADATA).read_bytes() == (by_folder / METADATA).read_bytes()
    assert json.loads((by_name / METADATA).read_text())["source"]["folder"] == "data/emnist"


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"augmentations": "affine,blur"}, "augmentations: blur is not known; give any of affine, elastic, noise"),
        ({"augmentations": " "}, "augmentations: copies without any would be the same images"),
        ({"per_class": 0}, "per_class must be 1 or more and seed 0 or more, got 0 and 0"),
    ],
)
def test_a_bad_option_is_one_line(options: dict, rule: str, tmp_path: Path) -> None:
    with pytest.raises(DataProblem, match=rule):
        prepare_synthetic(target=tmp_path, **options)


def test_an_expansion_of_other_images_is_refused(folder: Path, tmp_path: Path) -> None:
    target = prepare_synthetic(source=str(folder), target=tmp_path / "out", per_class=1)
    other = write(tmp_path / "b", idx_files(train_images=np.random.default_rng(1).integers(0, 256, (188, 28, 28))))
    with pytest.raises(DataProblem, match=r"was made from emnist with other training images than those of data\.name="):
        load_dataset(expanded(other, target))


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        ("nothing there", r"metadata\.json: cannot be read .*prepare_data -P dataset=synthetic_emnist"),
        ("no metadata", r"metadata\.json: is damaged or of another kind"),
        ("other images", r"images\.npz: has another sha256 than metadata\.json says"),
        ("no images", r"images\.npz: cannot be read"),
    ],
)
def test_a_damaged_expansion_is_one_line(damage: str, rule: str, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    if damage != "nothing there":
        prepare_synthetic(source=str(folder), target=target, per_class=1)
    if damage == "no metadata":
        (target / METADATA).write_text("{}")
    if damage == "other images":
        (target / IMAGES).write_bytes(b"other")
    if damage == "no images":
        (target / IMAGES).unlink()
    with pytest.raises(DataProblem, match=rule) as caught:
        load_dataset(expanded(folder, target))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("dvc") is None, reason="dvc is not installed (pip install -e '.[dvc]')")
def test_the_dvc_stage_makes_the_expansion_and_again_only_where_settings_change(folder: Path, tmp_path: Path) -> None:
    for name in ("MLproject", "dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("projects", ".dvc"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "cache", "tmp", "config.local")
        )
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("per_class: 200", "per_class: 2"))
    assert "Running stage 'synth_emnist'" in _repro(tmp_path)
    made = tmp_path / "data" / "synthetic_emnist"
    first = json.loads((made / METADATA).read_text())
    assert (first["source"]["name"], first["n_images"], first["seed"]) == ("fonts", 94, 0)
    assert "didn't change" in _repro(tmp_path)
    params.write_text(params.read_text().replace("seed: 0", "seed: 1"))
    assert "Running stage 'synth_emnist'" in _repro(tmp_path)
    second = json.loads((made / METADATA).read_text())
    assert second["seed"] == 1
    assert second["images_sha256"] != first["images_sha256"]
    params.write_text(params.read_text().replace("source: fonts", f"source: {folder}").replace("pt: false", "pt: true"))
    assert "Running stage 'synth_emnist'" in _repro(tmp_path)
    third = json.loads((made / METADATA).read_text())
    assert third["source"] == {
        "name": "emnist",
        "folder": str(folder),
        "train_digest": train_digest(read_folder(folder)),
    }
    assert (made / TENSORS).is_file()


def _repro(folder: Path) -> str:
    environ = {**os.environ, "DVC_NO_ANALYTICS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), *sys.path])}
    ran = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "synth_emnist"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
