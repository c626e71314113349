"""The commands of docs/studies/image_classifier.md, run as they stand there, with fewer and shorter trainings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rothamsted.tracking import find_runs
from tests.projects import pages
from tests.projects.image_classifier.test_cifar10 import FILES, PIXELS, binary

PAGE = pages.page_of("image_classifier")
FILES_OF_PAGE, COMMANDS = pages.files_of(PAGE), pages.commands_of(PAGE)
SMALL = {"data.n_train": 60, "data.n_val": 40, "model.width": 4}
SHORT = {  # of a command, for its time
    "rothamsted sweep image_classifier/quick": " ".join(
        [
            *(f"parameters.{name}={value}" for name, value in SMALL.items()),
            "space.optimizer.weight_decay=[0.0] space.optimizer.lr=[0.003] replicates=2 confirm.replicates=2",
        ]
    ),
    "rothamsted sweep transfer": "epochs=1 parameters.data.n_train=64 space.optimizer.lr=[0.001] replicates=2",
    "rothamsted prepare_data b0_weights": "epochs=1 n_train=64",
}


@pytest.fixture
def project(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project with the page's file, a folder of photos and CIFAR-10's files, made small."""
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / label / f"{number}.png")
    cifar10 = tmp_path / "cifar-10-batches-bin"
    cifar10.mkdir()
    for name in (name for files in FILES.values() for name, _ in files):
        (cifar10 / name).write_bytes(binary(PIXELS[name]))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens: there is no network
    return pages.copied_project(tmp_path, monkeypatch, new_mlflow, page=PAGE)


def done(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = f"{command} {SHORT.get(' '.join(command.split()[:3]), '')}" if "source=" not in command else command
    return pages.done(command, folder)


def run(command: str, folder: Path) -> str:
    return pages.printed(done(command, folder), command)


def config_of(run_id: str) -> dict[str, object]:
    from mlflow.artifacts import load_dict

    return load_dict(f"runs:/{run_id}/config.json")


def test_the_page_has_its_commands() -> None:
    assert {mark: len(lines) for mark, lines in COMMANDS.items()} == {"run": 4, "slow": 9, "network": 2}
    assert list(FILES_OF_PAGE) == ["best.py"]


@pytest.mark.slow
def test_the_commands_of_the_page_run(project: Path) -> None:
    for command in COMMANDS["run"]:
        run(command, project)
    first, longer = (json.loads((project / "runs" / name / "config.json").read_text()) for name in ("first", "longer"))
    assert (first["epochs"], longer["epochs"], longer["schedule"]["name"]) == (2, 3, "cosine")
    assert {**longer, "epochs": 2, "schedule": first["schedule"]} == first
    assert (project / "reports" / "first-vs-longer.html").is_file()


@pytest.mark.parametrize("command", COMMANDS["network"])
def test_without_a_network_one_line_says_where_the_published_file_is_to_be_put(command: str, project: Path) -> None:
    ended = done(command, project)
    assert ended.returncode != 0
    said = [line for line in ended.stderr.splitlines() if "efficientnet_b0_rwightman-7f5810bc.pth" in line]
    assert len(said) == 1
    assert "copy" in said[0]
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_the_commands_of_the_page_that_take_longer_run(project: Path) -> None:
    told = {}
    for command in COMMANDS["slow"]:
        runs = sorted(path.name for path in project.glob("results/individual_results/*"))
        told[command] = run(command.replace("RUN", f"'{runs[0]}'" if runs else ""), project)
    assert "Confirmed val_accuracy" in told["rothamsted sweep image_classifier/quick"]
    assert "schedule.name" in told["python best.py"]
    by_hand = [one for one in find_runs(None, {"rothamsted.study": "image_classifier"}) if one.params["epochs"] == "25"]
    best = json.loads((project / "best" / "config.json").read_text())
    assert len(by_hand) == 2
    for one in by_hand:
        config = config_of(one.run_id)
        assert (config["monitor"], config["data"]) == ("val_accuracy", best["data"])
        assert one.tags["rothamsted.kept"].endswith("best val_accuracy")
