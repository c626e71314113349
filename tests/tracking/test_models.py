"""Trained models in MLflow: what is logged, and that it predicts elsewhere what it predicted where it was trained."""

from __future__ import annotations

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import mlflow
import numpy as np
import pytest
import yaml
from mlflow import MlflowClient

from rothamsted.records import MetricPoint
from rothamsted.tracking.models import served_model
from rothamsted.tracking.models.model_files import ModelError, check_model, log_model
from tests.conftest import ROOT
from tests.tracking.models_logged import Store, logged_models

PREDICT = """
import pickle, sys, mlflow
for name in sys.argv[2:]:
    x = pickle.load(open(f"{name}.x", "rb"))
    model = mlflow.pyfunc.load_model(open(f"{name}.uri").read())
    pickle.dump(model.predict(x), open(f"{name}.out", "wb"))
    kind = type(model._model_impl)
    print(name, kind.__module__, sys.modules[kind.__module__].__file__)
assert sys.argv[1] not in sys.modules, sorted(sys.modules)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, new_mlflow: Callable[[Path], str]) -> Iterator[Store]:
    with logged_models(tmp_path_factory.mktemp("models"), new_mlflow) as store:
        yield store


@pytest.fixture(scope="module")
def elsewhere(store: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """All models loaded in one fresh process outside of the repository: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for name, logged in store.models.items():
        (folder / f"{name}.x").write_bytes(pickle.dumps(logged.x))
        (folder / f"{name}.uri").write_text(logged.uri)
    done = store.load_elsewhere(folder, PREDICT, "projects.batch_size.train", *store.models)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def output_of(elsewhere: tuple[Path, str], name: str) -> Any:
    return pickle.loads((elsewhere[0] / f"{name}.out").read_bytes())


def model_folder(store: Store, name: str) -> Path:
    model_id = store.models[name].uri.removeprefix("models:/")
    location = MlflowClient(store.project.tracking_uri).get_logged_model(model_id).artifact_location
    return Path(location.removeprefix("file://"))


@pytest.mark.parametrize("name", ["jax", "numpy"])
def test_a_numpy_prediction_is_the_same_bits_in_a_process_without_engine_and_repository(
    store: Store, elsewhere: tuple[Path, str], name: str
) -> None:
    # Authority: what the model gave for these 300 rows in the process that trained it.
    found = output_of(elsewhere, name)
    assert found.dtype == store.models[name].output.dtype
    assert found.tobytes() == store.models[name].output.tobytes()


def test_a_torch_model_predicts_the_same_in_a_process_without_engine_and_repository(
    store: Store, elsewhere: tuple[Path, str]
) -> None:
    # Authority: as above; the tolerance is that of issue 4's brief, for torch's threads.
    np.testing.assert_allclose(output_of(elsewhere, "torch"), store.models["torch"].output, rtol=1e-6)


def test_a_model_of_texts_answers_the_same_in_a_process_without_engine_and_repository(
    store: Store, elsewhere: tuple[Path, str]
) -> None:
    # Authority: what the models gave for these 300 texts in the process that made them.
    found = output_of(elsewhere, "text")
    assert {name: array.tolist() for name, array in found.items()} == {
        name: array.tolist() for name, array in store.models["text"].output.items()
    }
    assert output_of(elsewhere, "shout").tolist() == store.models["shout"].output.tolist()


def test_a_loaded_model_runs_its_own_copy_of_the_study(store: Store, elsewhere: tuple[Path, str]) -> None:
    places = {line.split()[0]: Path(line.split()[2]) for line in elsewhere[1].splitlines()}
    assert places["jax"] == model_folder(store, "jax") / "code" / "projects" / "batch_size" / "trained.py"


def test_a_model_says_what_it_takes_and_what_it_gives(store: Store) -> None:
    # By hand: the digits have 8 x 8 pixels and ten classes, in float32 (gamma 1 trains in float32).
    flavor = yaml.safe_load((model_folder(store, "jax") / "MLmodel").read_text())
    specs = [json.loads(flavor["signature"][side])[0]["tensor-spec"] for side in ("inputs", "outputs")]
    assert specs == [{"dtype": "float32", "shape": [-1, 64]}, {"dtype": "float32", "shape": [-1, 10]}]


def test_a_model_of_texts_says_that_it_takes_and_gives_text(store: Store) -> None:
    # By hand: prompts and numbers of letters in, texts and lengths out, as many rows as there are.
    flavor = yaml.safe_load((model_folder(store, "text") / "MLmodel").read_text())
    specs = [json.loads(flavor["signature"][side]) for side in ("inputs", "outputs")]
    assert [
        [(one["name"], one["tensor-spec"]["dtype"], one["tensor-spec"]["shape"]) for one in side] for side in specs
    ] == [
        [("prompt", "str", [-1]), ("n_letters", "int64", [-1])],
        [("text", "str", [-1]), ("length", "int64", [-1])],
    ]
    example = json.loads((model_folder(store, "text") / "input_example.json").read_text())
    assert example == {"prompt": ["Once upon", "größer"], "n_letters": [2, 1]}


def test_a_model_carries_the_input_example_of_its_study(store: Store) -> None:
    logged = store.models["numpy"]
    example = json.loads((model_folder(store, "numpy") / "input_example.json").read_text())
    np.testing.assert_array_equal(np.array(example, dtype=np.float32), logged.model.input_example)


@pytest.mark.parametrize("name", ["jax", "torch", "numpy"])
def test_a_model_requires_what_its_study_says_and_mlflow(store: Store, name: str) -> None:
    lines = (model_folder(store, name) / "requirements.txt").read_text().split()
    assert lines[0].startswith("mlflow==")
    assert lines[1:] == list(store.models[name].model.pip_requirements)


@pytest.mark.parametrize("name", ["jax", "torch"])
def test_a_model_carries_the_source_of_its_study_and_what_that_imports_and_nothing_else(
    store: Store, name: str
) -> None:
    code = model_folder(store, name) / "code"
    found = {path.relative_to(code).as_posix() for path in code.rglob("*") if path.is_file()}
    package = {"jax": ROOT / "projects" / "batch_size", "torch": ROOT / "tests" / "torch_toy"}[name]
    inside = {"jax": "projects/batch_size", "torch": "projects/line"}[name]
    sources = {f"{inside}/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    for shared in {"jax": ("files", "training"), "torch": ()}[name]:
        sources |= {f"projects/{shared}/{path.name}" for path in (ROOT / "projects" / shared).glob("*.py")}
    assert found - {path for path in found if "__pycache__" in path} == (
        sources | {"projects/__init__.py", "rothamsted_served_model.py"}
    )


def test_a_model_keeps_what_it_gave_for_its_example_where_it_was_trained(store: Store) -> None:
    logged = store.models["torch"]
    with np.load(model_folder(store, "torch") / "data" / "trained" / "example_output.npz") as kept:
        np.testing.assert_array_equal(kept["output"], logged.model.predict(logged.model.input_example))


def test_a_model_is_an_output_of_the_run_that_trained_it(store: Store) -> None:
    client, logged = MlflowClient(store.project.tracking_uri), store.models["torch"]
    model = client.get_logged_model(logged.uri.removeprefix("models:/"))
    outputs = client.get_run(logged.run_id).outputs
    assert outputs is not None
    assert [(output.model_id, output.step) for output in outputs.model_outputs] == [(model.model_id, 20)]
    assert (model.source_run_id, model.status, model.params) == (logged.run_id, "READY", {"lr": "0.1"})


def test_a_model_goes_through_a_server_as_into_a_database(store: Store, server_uri: str, tmp_path: Path) -> None:
    logged, client = store.models["numpy"], MlflowClient(server_uri)
    run_id = client.create_run("0").info.run_id
    uri = log_model(
        check_model(logged.model, logged.code),
        logged.code,
        run_id=run_id,
        experiment_id="0",
        uri=server_uri,
        step=3,
        params={},
        tags={},
    )
    folder = client.get_logged_model(uri.removeprefix("models:/")).artifact_location
    local = mlflow.artifacts.download_artifacts(folder, dst_path=str(tmp_path), tracking_uri=server_uri)
    loaded = served_model._load_pyfunc(str(Path(local) / "data" / "trained"))
    np.testing.assert_array_equal(loaded.predict(logged.x), logged.output)


def test_a_process_that_has_imported_equal_code_of_the_study_loads_the_model(store: Store) -> None:
    logged = store.models["numpy"]  # imported here from the project's folder, to train it
    loaded = served_model._load_pyfunc(str(model_folder(store, "numpy") / "data" / "trained"))
    np.testing.assert_array_equal(loaded.predict(logged.x), logged.output)


def test_a_process_that_has_imported_other_code_of_the_study_refuses_the_model(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = sys.modules["projects.line.line"]
    other = tmp_path / "line.py"
    other.write_text(Path(str(imported.__file__)).read_text().replace("x @ self", "-x @ self"))
    monkeypatch.setattr(imported, "__file__", str(other))
    with pytest.raises(ImportError, match=f"from {other}; load the model in a process of its own"):
        served_model._load_pyfunc(str(model_folder(store, "numpy") / "data" / "trained"))


def test_a_model_that_cannot_be_stored_is_marked_as_failed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    client, logged = MlflowClient(store.project.tracking_uri), store.models["numpy"]
    before = {model.model_id for model in client.search_logged_models(["0"])}
    monkeypatch.setattr(MlflowClient, "log_model_artifacts", full_disk)
    with pytest.raises(OSError, match="No space left"):
        log_model(
            check_model(logged.model, logged.code),
            logged.code,
            run_id=logged.run_id,
            experiment_id="0",
            uri=store.project.tracking_uri,
            step=1,
            params={},
            tags={},
        )
    [failed] = [model for model in client.search_logged_models(["0"]) if model.model_id not in before]
    assert failed.status == "FAILED"


def full_disk(*arguments: object) -> None:
    raise OSError(28, "No space left on device")


class Elsewhere:
    """A model by the contract whose class no model may have: it lies outside of the study."""

    parameters: ClassVar[dict[str, np.ndarray]] = {}
    input_example = np.zeros((1, 1))
    pip_requirements = ("numpy",)

    def __init__(self, output: object) -> None:
        self.output = output

    def predict(self, x: np.ndarray) -> object:
        return self.output


def test_a_model_of_a_class_outside_of_the_study_is_refused(store: Store) -> None:
    code = replace(store.models["numpy"].code, root=ROOT)
    with pytest.raises(ModelError, match=r"refers to tests\..*\.Elsewhere, outside of projects\.line"):
        check_model(Elsewhere(np.zeros(1)), code)


def test_a_model_that_refers_to_the_engine_is_refused(store: Store) -> None:
    code = store.models["numpy"].code  # this file lies outside of its root
    with pytest.raises(ModelError, match="part of the engine, which is not there where the model is loaded"):
        check_model(Elsewhere(MetricOfTheEngine(np.zeros(1))), code)


class MetricOfTheEngine(np.ndarray):
    """An array that comes back as a value of the engine."""

    def __new__(cls, values: np.ndarray) -> MetricOfTheEngine:
        return values.view(cls)

    def __reduce__(self) -> tuple:
        return MetricPoint, ("loss", 0.0, 0, 0)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ([1.0], "predict's output is a list; give a NumPy array"),
        ({"mean": np.zeros(1), "sd": 1.0}, "predict's output sd is a float"),
        (np.array([1.0, np.nan]), "predict's output is not finite on the input example"),
        (np.array(["a", None], dtype=object), "predict's output is an array of object; give one of numbers"),
    ],
)
def test_a_prediction_that_cannot_be_served_is_refused(store: Store, output: object, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        check_model(Elsewhere(output), store.models["numpy"].code)


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (["Once upon"], r"input_example is a list; give a NumPy array, of text np\.array\(\['a', 'b'\]\)"),
        ({"prompt": "Once upon"}, "input_example prompt is a str; give a NumPy array"),
        ({"prompt": np.array(["a"], dtype=object)}, "input_example prompt is an array of object; give one of numbers"),
    ],
)
def test_an_input_example_that_is_no_array_is_refused(
    store: Store, example: object, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Elsewhere, "input_example", example)
    with pytest.raises(ModelError, match=reason):
        check_model(Elsewhere(np.zeros(1)), store.models["numpy"].code)


def test_a_model_whose_pickled_copy_predicts_something_else_is_refused(store: Store) -> None:
    with pytest.raises(ModelError, match="its pickled copy predicts something else"):
        check_model(Forgetful(np.ones(1)), store.models["numpy"].code)


class Forgetful(Elsewhere):
    """Loses what it has learned."""

    def __getstate__(self) -> dict[str, object]:
        return {"output": np.zeros(1)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(url: str, body: dict | None, seconds: float) -> bytes:
    """The answer of a server that is starting, as soon as there is one."""
    deadline = time.monotonic() + seconds
    data = None if body is None else json.dumps(body).encode()
    while True:
        try:
            request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from error
        except OSError:
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.2)


def test_a_served_model_answers_over_http_what_predict_gives(store: Store, tmp_path: Path) -> None:
    logged, port = store.models["jax"], free_port()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", logged.uri, "--env-manager", "local"]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=tmp_path,
        env={
            **environment,
            "MLFLOW_TRACKING_URI": store.project.tracking_uri,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        ask(f"http://127.0.0.1:{port}/ping", None, seconds=120)
        answer = ask(f"http://127.0.0.1:{port}/invocations", {"inputs": logged.x[:7].tolist()}, seconds=30)
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # the session that was begun for it: it and its worker
        server.wait()
    # JSON writes a float32 as the double that it is, so nothing is lost on the way.
    np.testing.assert_array_equal(
        np.array(json.loads(answer)["predictions"], np.float32), logged.model.predict(logged.x[:7])
    )


@pytest.fixture
def served_text(store: Store) -> Iterator[str]:
    """The address of MLflow's scoring server for the model of texts, in a thread of this process."""
    import uvicorn
    from mlflow.pyfunc import scoring_server

    port = free_port()
    app = scoring_server.init(mlflow.pyfunc.load_model(store.models["text"].uri))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}/invocations"
    server.should_exit = True
    thread.join(30)


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": {"prompt": ["größer", "a"], "n_letters": [1, 2]}},
        {"dataframe_records": [{"prompt": "größer", "n_letters": 1}, {"prompt": "a", "n_letters": 2}]},
    ],
)
def test_a_served_model_of_texts_answers_over_http(served_text: str, body: dict[str, Any]) -> None:
    # By hand: the prompt and so many exclamation marks, and how many letters that is.
    answer = json.loads(ask(served_text, body, seconds=30))
    assert answer["predictions"] == {"text": ["größer!", "a!!"], "length": [7, 3]}
