"""Reports of a training where no sweep listens, and where one does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from rothamsted.reported import Reported, report, reporting_to


def test_a_report_with_no_sweep_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    report({"val/loss": 0.25}, step=3, accuracy=0.5)
    assert capsys.readouterr().out == "step 3  val/loss 0.25  accuracy 0.5\n"


def test_a_report_goes_as_a_flat_line_of_json_to_the_file_that_the_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reports.jsonl"
    monkeypatch.setenv("ROTHAMSTED_REPORT", str(path))
    report({"val_loss": 0.3}, step=1)
    report(val_loss=np.float32(0.25), epoch=2)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"val_loss": 0.3, "step": 1}, {"val_loss": 0.25, "epoch": 2.0}]


def test_a_report_is_heard_by_what_listens_in_this_context_alone() -> None:
    heard: list[Reported] = []
    with reporting_to(heard.append):
        report({"loss": torch.tensor(0.5), "step": 4}, state={"w": 1}, artifacts={"a.txt": "text"})
        refused: list[BaseException] = []

        def from_another_thread() -> None:
            try:
                report(loss=1.0)
            except RuntimeError as error:
                refused.append(error)

        thread = threading.Thread(target=from_another_thread)
        thread.start()
        thread.join()
    assert heard == [Reported(metrics={"loss": 0.5}, step=4, state={"w": 1}, artifacts={"a.txt": "text"})]
    assert "was called in another thread than that of the training" in str(refused[0])


@pytest.mark.parametrize("value", ["0.5", [1.0, 2.0], np.zeros(3), None, {"a": 1}])
def test_a_metric_that_is_not_one_number_is_named(value: object) -> None:
    with pytest.raises(TypeError, match=r"^report: loss must be one number, not "):
        report(loss=value)


def test_report_is_imported_with_the_standard_library_alone() -> None:
    code = "import sys; from rothamsted import report; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = set(done.stdout.split()) - set(sys.stdlib_module_names) - {"__main__", "rothamsted"}
    assert not {"numpy", "mlflow", "optuna", "pydantic", "pandas", "torch"} & ours
