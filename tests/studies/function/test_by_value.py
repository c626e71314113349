"""A script's function in another process: with its globals, its types and what it was declared with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SCRIPT = """
from __future__ import annotations  # the types are text

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, Field

from rothamsted import Metric, study


@dataclass
class Opt:
    lr: float = 0.1
    kind: Literal["a", "b"] = "a"


class Net(BaseModel):
    depth: int = Field(default=2, ge=1)
    mode: Literal["x", "y"] = "x"


SCALE = np.array([2.0])


def helped(value: float) -> float:
    return float(SCALE[0] * value)


@study(name="other", metrics={"value": Metric(direction="minimize")})
def train(
    seed: int, lr: Annotated[float, Field(gt=0)], path: Path = Path("a"), opt: Opt = Opt(lr=0.5), net: Net = Net()
):
    assert isinstance(opt, Opt) and isinstance(net, Net)
    return helped(lr * opt.lr * net.depth)


Path("function.pkl").write_bytes(pickle.dumps((sys.path, train.function.pickled())))
"""
WORKER = """
from rothamsted.studies import drive, field_names, set_fields
from rothamsted.studies.function.by_value import read_function

study = read_function("function.pkl")
print(study.name, study.metrics["value"].direction, field_names(study.config))
config = set_fields(study.config, {"lr": 0.25, "opt.kind": "b", "net.depth": 3})
[ending] = drive(study, [config], on_measurement=lambda member, measured: None)
print(ending.outcome, ending.reason, ending.history[-1].metrics["value"])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def run(folder: Path, *words: str) -> str:
    environment = {"PYTHONPATH": str(ROOT / "plugins"), "PATH": ""}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_scripts_function_is_the_same_study_in_a_process_that_has_no_script(folder: Path) -> None:
    run(folder, "script.py")
    (folder / "script.py").unlink()
    first, second = run(folder, "-c", WORKER).splitlines()
    assert first == "other minimize ['seed', 'lr', 'path', 'opt.lr', 'opt.kind', 'net.depth', 'net.mode']"
    # By hand: 2 * 0.25 * 0.5 * 3.
    assert second == "finished  0.75"


def test_main_at_the_top_of_a_file_does_nothing_where_the_file_is_imported(tmp_path: Path) -> None:
    (tmp_path / "taught.py").write_text(
        "from rothamsted import study\n\n\n@study\ndef taught(seed: int):\n    return 1.0 * seed\n\n\ntaught.main()\n"
    )
    (tmp_path / "other.py").write_text("from taught import taught\n\nprint('value', taught(seed=3))\n")
    done = subprocess.run([sys.executable, "other.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.returncode) == ("value 3.0\n", 0), done.stderr
