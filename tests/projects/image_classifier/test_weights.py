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
from projects.image_classifier import weights
from projects.image_classifier.__main__ import data_digest
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
        "cut.pth": (pth(published)[:1000], "is damaged or of another kind"),
        "code.pth": (pth(Bomb()), r"it asks for posix\.mkdir, which plain data do not need"),
        "cut.safetensors": (b"\x08", "is damaged or of another kind"),
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


def test_the_published_weights_are_a_local_file_by_name_and_must_have_the_published_digest(
    published: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Authority: the file is published at https://download.pytorch.org/models under a name that ends in its digest.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    config = set_fields(Config, {"model.family": "efficientnet_b0", "model.weights": "imagenet"})
    ours = Path("data/efficientnet_b0/efficientnet_b0_rwightman-7f5810bc.pth")
    with pytest.raises(DataProblem, match=rf"^{ours}: is not there; copy it there, or with a network run: mlflow run"):
        data_digest(config)
    for path in (tmp_path / "torch" / "hub" / "checkpoints" / ours.name, ours):  # ours is looked at first
        path.parent.mkdir(parents=True)
        path.write_bytes(pth(published))
        with pytest.raises(DataProblem, match=r"has the sha256 \w{64}, and 7f5810bc\w{56} was published") as refused:
            data_digest(config)
        assert str(refused.value).startswith(str(path))
        assert "\n" not in str(refused.value)
        with pytest.raises(DataProblem, match="7f5810bc"):
            start_network(config, 10, torch.device("cpu"))
    monkeypatch.setattr(weights, "PUBLISHED_SHA256", hashlib.sha256(pth(published)).hexdigest())
    network = start_network(config, 3, torch.device("cpu"))
    assert torch.equal(network.state_dict()["features.0.0.weight"], published["features.0.0.weight"])


def test_any_file_that_pytorch_publishes_is_checked_by_the_digits_in_its_name(
    published: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    data = pth(published)
    right, wrong = tmp_path / f"own-{hashlib.sha256(data).hexdigest()[:8]}.pth", tmp_path / "own-00000000.pth"
    for path in (right, wrong):
        path.write_bytes(data)
    assert len(read_weights(right)) == len(published)
    with pytest.raises(DataProblem, match="and 00000000 was published under this name"):
        read_weights(wrong)


def test_without_a_network_one_line_says_where_the_file_is_to_be_put(
    published: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data = pth(published)
    with serve(Site(files={})) as site:
        gone = site.url  # nobody listens there from here on
    offline = {
        "source": "torchvision",
        "target": tmp_path / "weights.safetensors",
        "url": f"{gone}/b0-1234.pth",
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    with pytest.raises(DataProblem, match="the server cannot be reached") as refused:
        prepare_b0_weights(**offline)
    assert str(refused.value).endswith(f"; or copy the file from elsewhere to {tmp_path / 'b0-1234.pth'}")
    assert "\n" not in str(refused.value)
    (tmp_path / "b0-1234.pth").write_bytes(data)
    assert len(read_weights(prepare_b0_weights(**offline))) == len(published)


def test_weights_are_made_from_letters_where_there_is_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the letters are kept below the working directory
    path = prepare_b0_weights(target=tmp_path / "weights.safetensors", epochs=1, n_train=64)
    assert "epoch 1 of 1: train_accuracy " in capsys.readouterr().out
    load_weights(build_network("efficientnet_b0", 10, {"dropout": 0.0, "drop_path": 0.0}), path, keeps_head=False)
    assert len(read_weights(path)["classifier.1.bias"]) == 26
