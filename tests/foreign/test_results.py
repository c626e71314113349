"""An objective out of an artifact: found by its key, or refused with what is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from rothamsted.foreign.results import ObjectiveError, read_objective_artifact


@pytest.fixture
def results(new_mlflow: Callable[[Path], str], tmp_path: Path) -> tuple[str, str]:
    """A store and a run in it with artifacts."""
    uri = new_mlflow(tmp_path)
    client = MlflowClient(uri)
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, '{"test": {"loss": 0.25, "curve": [3, 2]}, "a.b": 4, "ok": true}', "out/result.json")
    client.log_text(run_id, "loss: 0.5\n", "result.yaml")
    client.log_text(run_id, "{", "broken.json")
    return uri, run_id


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ("out/result.json", "test.loss", 0.25),
        ("out/result.json", "test.curve.1", 2.0),
        ("out/result.json", "a.b", 4.0),
        ("result.yaml", "loss", 0.5),
    ],
)
def test_a_number_is_found_by_its_dotted_key(results: tuple[str, str], path: str, key: str, value: float) -> None:
    assert read_objective_artifact(results[1], path, key, uri=results[0]) == value


@pytest.mark.parametrize(
    ("path", "key", "message"),
    [
        ("out/other.json", "loss", "is not there; there are: out/result.json$"),
        ("other.json", "loss", "is not there; there are: broken.json, result.yaml$"),
        ("out/result.json", "test.accuracy", "test: has no key 'accuracy'; known: loss, curve$"),
        ("out/result.json", "ok", "ok: must be a number, not True$"),
        ("result.txt", "loss", "must end in .json, .yaml or .yml, not '.txt'"),
        ("broken.json", "loss", "cannot be read: "),
    ],
)
def test_what_is_not_there_is_one_clear_line(results: tuple[str, str], path: str, key: str, message: str) -> None:
    with pytest.raises(ObjectiveError, match=message) as caught:
        read_objective_artifact(results[1], path, key, uri=results[0])
    assert "\n" not in str(caught.value)
