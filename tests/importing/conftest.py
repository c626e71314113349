"""A store of its own for each test, the command in this process, and what is in MLflow after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from rothamsted.cli.main import main
from rothamsted.records import MetricPoint
from rothamsted.tracking import FoundRun, find_experiment, find_runs, read_history


@dataclass
class Place:
    """Where a test works.

    Attributes:
        uri: of its tracking store.
        folder: the working directory.
    """

    uri: str
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def bring(self, *words: str) -> str:
        """Import, and what was printed."""
        status = main(["import_runs", *words])
        done = self.capsys.readouterr()
        assert status == 0, done.err
        return done.out

    def refused(self, *words: str) -> str:
        """The one line with which an import is refused."""
        status = main(["import_runs", *words])
        done = self.capsys.readouterr()
        assert (status, done.err.count("\n")) == (2, 1), done.out + done.err
        return done.err.strip()

    def runs(self, experiment: str) -> dict[str, FoundRun]:
        """The runs of an experiment by name; each name is there once."""
        found = find_runs([find_experiment(experiment, uri=self.uri)], {}, uri=self.uri)
        by_name = {run.name: run for run in found}
        assert len(by_name) == len(found)
        return by_name

    def history(self, run: FoundRun) -> dict[str, list[tuple[int, float]]]:
        """Metric -> (step, value) in order."""
        return by_metric(read_history([run.run_id], uri=self.uri)[run.run_id])


def by_metric(points: Sequence[MetricPoint]) -> dict[str, list[tuple[int, float]]]:
    """Metric -> (step, value) in the order of steps."""
    found: dict[str, list[tuple[int, float]]] = {}
    for point in sorted(points, key=lambda one: one.step):
        found.setdefault(point.key, []).append((point.step, point.value))
    return found


@pytest.fixture
def place(
    tmp_path: Path,
    new_mlflow: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Place:
    """A folder with an empty store, which is the working directory."""
    uri = new_mlflow(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)
    import sys

    if "mlflow" in sys.modules:  # then MLflow is asked, not the environment
        import mlflow

        monkeypatch.setattr(mlflow.tracking._tracking_service.utils, "_tracking_uri", None)
    return Place(uri=uri, folder=tmp_path, capsys=capsys)
