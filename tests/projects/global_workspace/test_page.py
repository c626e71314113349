"""The commands of docs/studies/global_workspace.md, run as they stand there, on data and a network of a second."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from rothamsted.tracking import find_runs
from tests.conftest import ROOT
from tests.projects.global_workspace.data.small import write_folder, write_xor_folder
from tests.projects.global_workspace.test_original import written

PAGE = (ROOT / "docs" / "studies" / "global_workspace.md").read_text(encoding="utf-8")
BLOCKS = [
    line.partition("  #")[0].strip()
    for block in re.findall(r"^```bash run\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
TABLE = [line for line in re.findall(r"^\|.*\| `([^`]*)` \|$", PAGE, re.MULTILINE) if line[:6] in ("rotham", "python")]
SMALL = (  # of the test, for its time
    *("data.n_train=64", "data.n_val=32", "data.n_test=32", "data.visual_vae.n_items=32", "data.visual_vae.steps=3"),
    *("data.visual_vae.width=2", "data.visual_vae.batch_size=8", "training.epochs=1", "training.batch_size=32"),
)
NETWORK = {"hidden_dim": 8, "decoder_hidden_dim": 8, "n_layers": 0}
GRID = "space=model.workspace_dim=8,12 synergy.loss_scale=0.5,1.0"
PAIRS = "space=training.n_pairs=32,64 training.loss_configs.weights.cycle=0.0,1.0"


@pytest.fixture
def project(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project with a folder of the published set, one of targets, and the original's file."""
    for name in ("projects", "sweeps"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "MLproject", tmp_path)
    write_folder(tmp_path / "shapes", 32)
    write_xor_folder(tmp_path / "data" / "simple_shapes_xor_targets", 64)
    config = written(tmp_path / "config.json", training__epochs=1)
    data = json.loads(config.read_text())
    config.write_text(json.dumps({**data, "model": {**data["model"], **NETWORK}}))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(tmp_path))
    return tmp_path


def run(line: str, project: Path) -> str:
    """Run a line of the page with what keeps it short; returns what it prints."""
    words = [*line.replace("training.epochs=50", "training.epochs=1").split(), *_shorter(line)]
    program = [str(Path(sys.executable).parent / words[0]), *words[1:]]
    done = subprocess.run(program, cwd=project, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def _shorter(line: str) -> Sequence[str]:
    if "prepare_data" in line:
        return ("source=shapes", "vae_steps=3")
    is_own = "config.json" not in line
    if line.startswith("rothamsted sweep"):
        own = [f"parameters.{word}" for word in SMALL if is_own and word.partition("=")[0] not in line]
        workers = [] if "execution.workers" in line else ["execution.workers=1"]
        return (*own, PAIRS if "pairs" in line else GRID, "replicates.count=2", *workers)
    return [f"--{word}" for word in SMALL] if is_own and "global_workspace --" in line else ()


def test_the_page_has_the_commands_that_it_speaks_of() -> None:
    assert len(BLOCKS) == 9
    assert [line.split()[1] for line in TABLE] == ["-m", "sweep", "sweep", "sweep", "analyze", "export"]


@pytest.mark.slow
def test_the_originals_command_is_a_sweep_whose_export_its_scripts_can_read(project: Path) -> None:
    sweep, export = TABLE[2], TABLE[-1]
    printed = run(sweep, project)
    assert "note: config.json: no effect here: data.num_workers" in printed
    run(export, project)
    results = project / "results"
    assert json.loads((results / "aggregated_results.json").read_text())["dim_8_scale_1.0"]["workspace_dim"] == 8
    own = results / "individual_results" / "dim_8_scale_1.0_run_0"
    curves = json.loads((own / "results.json").read_text())["curves"]
    assert {"train_loss", "val_loss", "best_val_loss", "predictability/synergy_acc"} <= set(curves)
    plots = {path.name for path in (results / "plots").iterdir()}
    assert plots == {"statistical_summary.png"} | {
        name
        for metric in ("best_val_loss", "predictability_synergy_acc", "predictability_synergy_norm_ce")
        for name in (f"{metric}_vs_dimensions.png", f"{metric}_vs_synergy_scale.png", f"heatmap_{metric}.png")
    }
    run(f"python -m projects.global_workspace --config {own / 'config.json'} --no-save", project)


@pytest.mark.slow
def test_every_command_of_the_page_runs(project: Path) -> None:
    for line in (*BLOCKS, *TABLE):
        run(line, project)
    assert find_runs(None, {"rothamsted.outcome": "failed"}) == []
    assert (project / "reports" / "gw-prior.html").is_file()
