"""Weights from files: both formats, new and kept classifiers, frozen features, and files of something else."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from projects.files.problem import DataProblem
from projects.image_classifier.config import Config
from projects.image_classifier.models import build_network
from projects.image_classifier.network import start_network
from projects.image_classifier.pretrain import prepare_b0_weights
from projects.image_classifier.weights import load_weights, read_weights
from rothamsted.studies import set_fields
from tests.projects.files.loopback import Site, serve
from tests.projects.image_classifier.training import TINY, run

B0 = {"dropout": 0.2, "drop_path": 0.2}


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    """Weights of a network of 10 classes, as another training left them."""
    torch.manual_seed(5)
    return build_network("efficientnet_b0", 10, B0).state_dict()


def pth(weights: object) -> bytes:
    data = io.BytesIO()
    torch.save(weights, data)
    return data.getvalue()


@pytest.mark.parametrize("name", ["b0.pth", "b0.safetensors"])
def test_either_format_loads_whole(name: str, published: dict[str, torch.Tensor], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(save(published) if name.endswith("safetensors") else pth(published))
    network = build_network("efficientnet_b0", 10, B0)
    load_weights(network, tmp_path / name, keeps_head=True)
    assert all(torch.equal(value, published[name]) for name, value in network.state_dict().items())


def test_another_number_of_classes_gets_a_new_classifier_or_is_refused(
    published: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    (tmp_path / "b0.pth").write_bytes(pth(published))
    network = build_network("efficientnet_b0", 3, B0)
    drawn = network.state_dict()["classifier.1.weight"].clone()
    load_weights(network, tmp_path / "b0.pth", keeps_head=False)
    loaded = network.state_dict()
    assert torch.equal(loaded["classifier.1.weight"], drawn)
    assert torch.equal(loaded["features.0.0.weight"], published["features.0.0.weight"])
    with pytest.raises(DataProblem, match=r"its classifier has 10 classes and the data have 3; set model\.head to new"):
        load_weights(network, tmp_path / "b0.pth", keeps_head=True)


def test_files_of_something_else_are_refused_in_one_line(published: dict[str, torch.Tensor], tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "ran"),)

    grey = published | {"features.0.0.weight": torch.zeros(32, 1, 3, 3)}
    contents = {
        "cut.pth": (pth(published)[:1000], "cannot be read"),
        "code.pth": (pth(Bomb()), "is no file of weights alone"),
        "cut.safetensors": (b"\x08", "cannot be read"),
        "list.pth": (pth([1, 2]), "holds no dictionary of arrays"),
        "cnn.pth": (pth({"conv.weight": torch.zeros(1)}), "is of another network: 360 arrays are missing"),
        "grey.pth": (pth(grey), r"features\.0\.0\.weight is \[32, 1, 3, 3\], not \[32, 3, 3, 3\]"),
    }
    network = build_network("efficientnet_b0", 10, B0)
    for name, (data, rule) in contents.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataProblem, match=rule) as refused:
            load_weights(network, tmp_path / name, keeps_head=True)
        assert "\n" not in str(refused.value)
    assert not (tmp_path / "ran").exists()


def test_frozen_features_stay_as_they_came_and_the_classifier_learns(
    published: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "b0.safetensors"
    path.write_bytes(save(published))
    fields = {name: value for name, value in TINY.items() if not name.startswith("model.")}
    frozen = {"model.family": "efficientnet_b0", "model.weights": str(path), "model.frozen": True, "epochs": 1}
    config = set_fields(Config, {**fields, **frozen})
    _, model = run(config)
    before = start_network(config, 10, torch.device("cpu")).state_dict()
    changed = [name for name, array in model.arrays.items() if not torch.equal(torch.from_numpy(array), before[name])]
    assert changed == ["classifier.1.weight", "classifier.1.bias"] == list(model.parameters)


def test_published_weights_are_downloaded_checked_and_converted(
    published: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    data = pth(published)
    with serve(Site(files={"b0-1234.pth": data})) as site:
        path = prepare_b0_weights(
            source="torchvision",
            target=tmp_path / "weights.safetensors",
            url=f"{site.url}/b0-1234.pth",
            sha256=hashlib.sha256(data).hexdigest(),
        )
    assert all(torch.equal(value, published[name]) for name, value in read_weights(path).items())
    with pytest.raises(DataProblem, match=r"must end in \.safetensors"):
        prepare_b0_weights(target=tmp_path / "weights.pth")


def test_weights_are_made_from_letters_where_there_is_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the letters are kept below the working directory
    path = prepare_b0_weights(target=tmp_path / "weights.safetensors", epochs=1, n_train=64)
    assert "epoch 1 of 1: train_accuracy " in capsys.readouterr().out
    load_weights(build_network("efficientnet_b0", 10, {"dropout": 0.0, "drop_path": 0.0}), path, keeps_head=False)
    assert len(read_weights(path)["classifier.1.bias"]) == 26
