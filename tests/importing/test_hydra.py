"""Jobs of Hydra, made by Hydra in a process of its own, become runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.importing.conftest import Place

APP = """
import csv, json, pathlib
import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg: DictConfig) -> None:
    folder = pathlib.Path(HydraConfig.get().runtime.output_dir)
    losses = [cfg.optimizer.lr + cfg.seed / 100 + 1 / (step + 1) for step in range(3)]
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "loss"])
        writer.writerows(enumerate(losses))
    with (folder / "val.jsonl").open("w") as file:
        for step, loss in enumerate(losses):
            file.write(json.dumps({"step": step, "loss": loss + 1}) + chr(10))
    (folder / "results.json").write_text(json.dumps({"test": {"acc": 0.5}}))

main()
"""


@pytest.fixture(scope="module")
def multirun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four jobs over two rates and two seeds, and a config group."""
    folder = tmp_path_factory.mktemp("hydra")
    (folder / "conf" / "model").mkdir(parents=True)
    (folder / "app.py").write_text(APP)
    (folder / "conf" / "config.yaml").write_text(
        "defaults: [_self_, {model: small}]\noptimizer: {lr: 0.5}\nseed: 0\ntwice: ${seed}\n"
    )
    (folder / "conf" / "model" / "small.yaml").write_text("# @package _global_\nwidth: 8\n")
    (folder / "conf" / "model" / "wide.yaml").write_text("# @package _global_\nwidth: 64\n")
    command = [sys.executable, "app.py", "-m", "optimizer.lr=0.1,0.5", "seed=0,1", "model=wide"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    return folder / "multirun"


def test_params_are_the_config_with_overrides_and_metrics_are_what_the_folder_holds(
    place: Place, multirun: Path
) -> None:
    out = place.bring(str(multirun), "experiment=before")
    runs = place.runs("before")
    assert len(runs) == 4
    run = next(one for one in runs.values() if one.params["optimizer.lr"] == "0.1" and one.params["seed"] == "1")
    assert run.params == {
        "optimizer.lr": "0.1",
        "seed": "1",
        "twice": "${seed}",  # as .hydra/config.yaml has it
        "width": "64",
        "model": "wide",
    }
    assert place.history(run)["loss"] == [(0, 1.11), (1, pytest.approx(0.61)), (2, pytest.approx(0.1 + 0.01 + 1 / 3))]
    assert place.history(run)["val/loss"][0] == (0, pytest.approx(2.11))
    assert run.metrics["test/acc"] == 0.5
    assert run.tags["hydra.overrides"] == "optimizer.lr=0.1 seed=1 model=wide"
    assert run.status == "FINISHED"
    assert "rothamsted analyze --experiment before --group_by optimizer.lr --replicate_by seed --metric val/loss" in out


def test_event_files_below_a_job_are_its_curves(place: Place, multirun: Path) -> None:
    import shutil

    from torch.utils.tensorboard import SummaryWriter

    shutil.copytree(next(multirun.glob("*/*/0")), place.folder / "job")
    with SummaryWriter(str(place.folder / "job" / "tensorboard" / "train")) as writer:
        writer.add_scalar("norm", 0.5, 7)
    place.bring("job", "experiment=before")
    [run] = place.runs("before").values()
    assert place.history(run)["norm"] == [(7, 0.5)]
    assert (run.name, len(place.history(run)["loss"])) == ("job", 3)


def test_a_folder_that_was_moved_is_the_same_runs(place: Place, multirun: Path) -> None:
    import shutil

    place.bring(str(multirun), "experiment=before")
    shutil.copytree(multirun, place.folder / "elsewhere")
    assert "0 new, 0 brought up to date, 4 there already" in place.bring("elsewhere", "experiment=before")


def test_a_job_that_measured_nothing_is_taken_as_failed_and_a_damaged_config_is_a_note(
    place: Place, multirun: Path
) -> None:
    import shutil

    job = next(multirun.glob("*/*/0"))
    shutil.copytree(job, place.folder / "jobs" / "0")
    for name in ("metrics.csv", "val.jsonl", "results.json"):
        (place.folder / "jobs" / "0" / name).unlink()
    (place.folder / "jobs" / "0" / ".hydra" / "config.yaml").write_text("a: [1\n")
    out = place.bring("jobs", "experiment=before")
    [run] = place.runs("before").values()
    assert run.status == "FAILED"
    assert "taken as FAILED" in out
    assert "config.yaml is left out" in out


def test_folders_with_files_of_one_name_below_a_job_are_told_apart(place: Place, multirun: Path) -> None:
    import shutil

    from torch.utils.tensorboard import SummaryWriter

    shutil.copytree(next(multirun.glob("*/*/0")), place.folder / "job")
    for number, part in enumerate(("train", "validation")):
        with SummaryWriter(str(place.folder / "job" / "logs" / part)) as writer:
            writer.add_scalar("epoch_loss", number, 1)
        (place.folder / "job" / part).mkdir()
        (place.folder / "job" / part / "history.csv").write_text(f"step,err\n0,{number}\n")
        (place.folder / "job" / part / "summary.json").write_text(f'{{"best": {number}}}')
    place.bring("job", "experiment=before")
    [run] = place.runs("before").values()
    found = place.history(run)
    assert (found["train/epoch_loss"], found["validation/epoch_loss"]) == ([(1, 0)], [(1, 1)])
    assert (found["train/err"], found["validation/err"]) == ([(0, 0)], [(0, 1)])
    assert (run.metrics["train/best"], run.metrics["validation/best"]) == (0, 1)
    assert len(found["loss"]) == 3
