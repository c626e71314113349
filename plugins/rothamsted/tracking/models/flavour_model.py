"""Log the trained model of a function by MLflow's own flavours: scikit-learn, torch, and others as a PythonModel.

Models of the full contract are logged by `model_files`.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rothamsted.tracking.models.model_files import ModelError, log_saved, quiet


@dataclass(frozen=True, kw_only=True)
class FlavourModel:
    """Holds a model that one of MLflow's flavours can save.

    Attributes:
        model: the estimator or module.
        flavour: sklearn, pytorch or pyfunc.
        input_example: some rows of input; None: MLflow then knows no signature.
        code: names of modules that are pickled with the model: another process does not find them by name.
    """

    model: Any
    flavour: str
    input_example: Any = None
    code: tuple[str, ...] = ()


def flavour_model(returned: Any, code: tuple[str, ...]) -> FlavourModel:
    """Return the model in what a function returned: the model, or (model, input_example).

    Raises:
        ModelError: it has no known flavour.
    """
    model, example = returned if isinstance(returned, tuple) and len(returned) == 2 else (returned, None)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        return FlavourModel(model=model, flavour="pytorch", input_example=_as_array(example), code=code)
    sklearn = sys.modules.get("sklearn.base")
    if sklearn is not None and isinstance(model, sklearn.BaseEstimator):
        return FlavourModel(model=model, flavour="sklearn", input_example=example, code=code)
    pyfunc = sys.modules.get("mlflow.pyfunc")
    if pyfunc is not None and isinstance(model, pyfunc.PythonModel):
        return FlavourModel(model=model, flavour="pyfunc", input_example=example, code=code)
    raise ModelError(
        f"is a {type(model).__name__}, which no flavour of MLflow can log; return a scikit-learn estimator, a torch "
        "module or an mlflow.pyfunc.PythonModel whose predict uses it, or (model, input_example) of one"
    )


def log_flavour_model(model: FlavourModel, **run: Any) -> str:
    """Log a model of a run; gives its URI.

    Args:
        model: the model.
        run: as `log_saved` takes them.

    Raises:
        ModelError: it does not predict for its input example.
        MlflowException, OSError: the store or the artifacts cannot be written.
    """
    predicted = _predicted(model) if model.input_example is not None else None
    return log_saved(partial(_save, model, predicted), **run)


def _predicted(one: FlavourModel) -> Any:
    try:
        if one.flavour == "sklearn":
            return one.model.predict(one.input_example)
        if one.flavour == "pyfunc":
            takes_context = "context" in inspect.signature(one.model.predict).parameters
            return one.model.predict(*([None] if takes_context else []), one.input_example)
        import torch

        device = next((parameter.device for parameter in one.model.parameters()), None)
        was_training = one.model.training
        one.model.eval()
        try:
            with torch.no_grad():
                return _as_array(one.model(torch.as_tensor(one.input_example, device=device)))
        finally:
            one.model.train(was_training)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"raised {type(error).__name__}: {reason} on its input example") from error


def _save(one: FlavourModel, predicted: Any, path: Path, mlflow_model: Any) -> None:
    from mlflow.models import infer_signature

    signature = None if predicted is None else infer_signature(one.input_example, predicted)
    known = {"signature": signature, "input_example": one.input_example, "mlflow_model": mlflow_model}
    # MLflow warns of pickle at each model: here the code that is pickled is the user's own.
    with _by_value(one.code), quiet(f"mlflow.{one.flavour}", above=logging.ERROR):
        if one.flavour == "sklearn":
            import mlflow.sklearn

            needs = mlflow.sklearn.get_default_pip_requirements(include_cloudpickle=True)
            mlflow.sklearn.save_model(
                one.model, str(path), serialization_format="cloudpickle", pip_requirements=needs, **known
            )
        elif one.flavour == "pyfunc":
            import mlflow.pyfunc

            needs = mlflow.pyfunc.get_default_pip_requirements()
            more = getattr(one.model, "pip_requirements", ())  # what its predict needs, nobody else knows
            mlflow.pyfunc.save_model(str(path), python_model=one.model, pip_requirements=[*needs, *more], **known)
        else:
            import cloudpickle
            import mlflow.pytorch
            import torch

            needs = [f"torch=={torch.__version__.partition('+')[0]}", f"cloudpickle=={cloudpickle.__version__}"]
            mlflow.pytorch.save_model(
                one.model, str(path), serialization_format="pickle", pip_requirements=[*needs, "numpy"], **known
            )


@contextmanager
def _by_value(modules: tuple[str, ...]) -> Iterator[None]:
    """While inside, what these modules define is pickled with its code."""
    import cloudpickle

    added = [sys.modules[name] for name in modules if name in sys.modules]
    for module in added:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in added:
            cloudpickle.unregister_pickle_by_value(module)


def _as_array(value: Any) -> Any:
    """A tensor as an array in main memory; anything else as it is."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value
