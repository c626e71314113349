"""Log trained models on a replicate's run, so that they load without the engine and the repository.

A model is a folder of files. The model object is pickled by reference to the study's own code, which is copied into the
folder: only the study knows what its prediction needs besides arrays. Nothing is pickled by value, so the code in the
model's folder is the code that runs.
"""

from __future__ import annotations

import io
import json
import logging
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from rothamsted.errors import raised
from rothamsted.tracking.models import served_model

LOADER = "rothamsted_served_model"  # name of `served_model` beside the study's code
DATA = "trained"  # folder of the pickled model, below MLflow's `data`
OUTPUT = "example_output.npz"  # what the model gave for its input example where it was trained
NAME = "model"  # of every logged model; what tells them apart are params, tags and the run
RTOL = 1e-6  # between a model and its pickled copy; NumPy's agree bit for bit, threads may move torch's last bits


class ModelError(Exception):
    """Says that a model cannot be logged; the message is one line."""


@dataclass(frozen=True, kw_only=True)
class StudyCode:
    """Holds a study's source files as they were read, so that editing them while a sweep runs changes no model."""

    module: str  # projects.batch_size
    root: Path  # of the project, from which the module is imported
    files: Mapping[PurePosixPath, bytes]  # relative to the root: those of the package, `__init__` of those above it
    digest: str  # SHA-256, hex


@dataclass(frozen=True, kw_only=True)
class CheckedModel:
    """Holds a model that has been tried: pickled, loaded again, asked for a prediction."""

    data: bytes
    input_example: Any
    output: Any  # (row, ...) array, or a mapping of such, for the input example
    pip_requirements: tuple[str, ...]


def check_model(model: Any, code: StudyCode) -> CheckedModel:
    """Try a trained model before anything is written.

    Args:
        model: what the study's training returned: `predict`, `input_example`, `pip_requirements`.
        code: the study's source files.

    Raises:
        ModelError: predict takes or gives something else than NumPy arrays of finite numbers or text, or raises, or
            the model cannot be pickled by reference to the study's code.
    """
    _check_input(model.input_example)
    output = _predict(model)
    data = _pickled(model)
    again = _predict(_Unpickler(data, code).load())
    if not _equal(_by_name(output), _by_name(again)):
        reason = "keep all that predict needs in the object, and draw what is random from a seed"
        raise ModelError(f"its pickled copy predicts something else; {reason}")
    requirements = tuple(model.pip_requirements)
    if not requirements or not all(isinstance(line, str) and line.strip() for line in requirements):
        raise ModelError(f"pip_requirements must be lines such as numpy==2.3.0, not {requirements!r}")
    return CheckedModel(data=data, input_example=model.input_example, output=output, pip_requirements=requirements)


def log_model(
    checked: CheckedModel,
    code: StudyCode,
    *,
    run_id: str,
    experiment_id: str,
    uri: str,
    step: int,
    params: Mapping[str, str],
    tags: Mapping[str, str],
) -> str:
    """Log a model as an MLflow LoggedModel of a run that is in the store already.

    Args:
        checked: the model.
        code: the study's source files, which are copied into it.
        run_id: the run whose training made it.
        experiment_id: that run's.
        uri: tracking URI.
        step: step of its weights.
        params: shown beside the model in MLflow's UI.
        tags: likewise.

    Returns:
        Its URI, `models:/m-...`.

    Raises:
        MlflowException, OSError: the store or the artifacts cannot be written; the model is then marked as failed.
    """
    run = {"run_id": run_id, "experiment_id": experiment_id, "uri": uri}
    return log_saved(partial(_save, checked, code), **run, step=step, params=params, tags=tags)


def log_saved(
    save: Callable[[Path, Any], None],
    *,
    run_id: str,
    experiment_id: str,
    uri: str,
    step: int,
    params: Mapping[str, str],
    tags: Mapping[str, str],
) -> str:
    """Log what `save` writes as a LoggedModel; `save` is called with a path that is not there and MLflow's Model.

    The other arguments, what is returned and what is raised are those of `log_model`.
    """
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus
    from mlflow.models import Model

    client = MlflowClient(uri)
    logged = client.create_logged_model(
        experiment_id, name=NAME, source_run_id=run_id, params=dict(params), tags=dict(tags), model_type="study"
    )
    model_id = logged.model_id
    try:
        with tempfile.TemporaryDirectory(prefix="rothamsted-model-") as folder:
            saved = Path(folder) / "model"
            place = logged.artifact_location
            save(saved, Model(artifact_path=place, model_uuid=model_id, model_id=model_id, run_id=run_id))
            client.log_model_artifacts(model_id, str(saved))
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=step)])
    except BaseException:
        with suppress(Exception):  # what went wrong first is what has to be heard of
            client.finalize_logged_model(model_id, LoggedModelStatus.FAILED)
        raise
    return client.finalize_logged_model(model_id, LoggedModelStatus.READY).model_uri


def _save(checked: CheckedModel, code: StudyCode, saved: Path, mlflow_model: Any) -> None:
    """Write the model as MLflow keeps one, with nothing inferred."""
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    data, staged = saved.with_name(DATA), saved.with_name("code")
    data.mkdir()
    (data / served_model.PICKLE).write_bytes(checked.data)
    (data / served_model.DESCRIPTION).write_text(json.dumps({"module": code.module}), encoding="utf-8")
    outputs = {name or "output": array for name, array in _by_name(checked.output).items()}
    np.savez(data / OUTPUT, **outputs)
    for path, content in code.files.items():
        target = staged / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    loader = staged / f"{LOADER}.py"
    loader.write_bytes(Path(served_model.__file__).read_bytes())
    with quiet("mlflow.pyfunc"):
        mlflow.pyfunc.save_model(
            saved,
            loader_module=LOADER,
            data_path=str(data),
            code_paths=[str(staged / code.module.split(".")[0]), str(loader)],
            signature=infer_signature(checked.input_example, checked.output),
            input_example=checked.input_example,
            pip_requirements=list(checked.pip_requirements),
            mlflow_model=mlflow_model,
        )


@contextmanager
def quiet(name: str, *, above: int = logging.WARNING) -> Iterator[None]:
    """Show only warnings and errors of a logger, not a line for each model."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(above)
    try:
        yield
    finally:
        logger.setLevel(level)


def _check_input(example: Any) -> None:
    """Only arrays have a signature that every way of asking keeps: lists of text become one row to MLflow."""
    for name, array in _by_name(example).items():
        what = f"input_example {name}" if name else "input_example"
        if reason := _unfit(array):
            raise ModelError(f"{what} is {reason}")


def _unfit(array: Any) -> str:
    """Why something is no array that MLflow keeps and serves; empty if it is one."""
    if not isinstance(array, np.ndarray):
        kind = type(array).__name__
        return f"a {kind}; give a NumPy array, of text np.array(['a', 'b']), or a mapping of names to arrays"
    if array.dtype.kind not in "biufU":
        return f"an array of {array.dtype}; give one of numbers, booleans or text, such as np.array(['a', 'b'])"
    return ""


def _predict(model: Any) -> Any:
    """The model's output for its input example: finite arrays, each with a row for each row of the input."""
    try:
        output = model.predict(model.input_example)
    except Exception as error:
        raise ModelError(f"predict raised {raised(error)[:300]} on the input example") from error
    for name, array in _by_name(output).items():
        what = f"predict's output {name}" if name else "predict's output"
        if reason := _unfit(array):
            raise ModelError(f"{what} is {reason}")
        if np.issubdtype(array.dtype, np.inexact) and not np.isfinite(array).all():
            raise ModelError(f"{what} is not finite on the input example")
    return output


def _by_name(output: Any) -> dict[str, Any]:
    """A prediction as arrays by name; one that is an array has no name."""
    return dict(output) if isinstance(output, Mapping) else {"": output}


def _equal(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> bool:
    return list(first) == list(second) and all(_agree(first[name], second[name]) for name in first)


def _agree(first: np.ndarray, second: np.ndarray) -> bool:
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    if not np.issubdtype(first.dtype, np.inexact):
        return bool(np.array_equal(first, second))
    largest = float(np.abs(first).max(initial=0.0))
    return bool(np.allclose(first, second, rtol=RTOL, atol=RTOL * largest))


def _pickled(model: Any) -> bytes:
    try:
        return pickle.dumps(model, protocol=5)
    except Exception as error:
        raise ModelError(
            f"cannot be pickled: {raised(error)[:300]}; define its class at the top of a module"
        ) from error


class _Unpickler(pickle.Unpickler):
    """Loads what it has pickled, and refuses what another process could not find."""

    def __init__(self, data: bytes, code: StudyCode) -> None:
        super().__init__(io.BytesIO(data))
        self._code = code

    def find_class(self, module: str, name: str, /) -> Any:
        if reason := _why_absent(module, self._code):
            raise ModelError(f"it refers to {module}.{name}, {reason}")
        return super().find_class(module, name)


def _why_absent(module: str, code: StudyCode) -> str:
    """Why a module will not be there where the model is loaded; empty where it will be."""
    if module.split(".")[-1] == "__main__":
        return "which is not imported where the model is loaded; move it to another module of the study"
    if module.split(".")[0] == "rothamsted":
        return "part of the engine, which is not there where the model is loaded; use the study's own code"
    source = getattr(sys.modules.get(module), "__file__", None)
    if source is None or module.split(".")[0] in sys.stdlib_module_names:
        return ""
    place = Path(source).resolve()
    if not place.is_relative_to(code.root):
        return ""
    inside = place.relative_to(code.root)
    if PurePosixPath(inside) in code.files or "site-packages" in inside.parts:
        return ""
    return f"outside of {code.module}, and only the files of that package are saved with the model; move it there"
