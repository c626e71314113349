"""The trained model that a study returns: what it must offer, and its test metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rothamsted.errors import StudyError
from rothamsted.metric import TEST_PREFIX


class TrainedModelLike(Protocol):
    """What a study's generator returns, one a member: a model that predicts where the engine is not installed.

    Its arrays lie in main memory, so that it loads where there is no accelerator. It is pickled by reference, so
    its class is defined at the top of a module of the study that imports nothing which prediction does not need;
    not in `__main__`, which imports the engine.

    It may also have `test_metrics: Mapping[str, float]`, names that begin with test/: how these weights do on rows that
    no choice used, neither of steps nor of conditions. The engine logs them once, with the last measurement.
    """

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Name -> array: what was trained."""
        ...

    @property
    def input_example(self) -> Any:
        """A few rows of input as `predict` takes them: a NumPy array of numbers or text, or a mapping of names to such.

        Text is an array of it, np.array(["Once upon"]): what predict is asked with over HTTP comes as one, too.
        """
        ...

    @property
    def pip_requirements(self) -> Sequence[str]:
        """Packages that `predict` needs, as lines of a requirements file: numpy==2.3.0."""
        ...

    def predict(self, x: Any, /) -> Any:
        """The output for some rows of input: a NumPy array of numbers or text, or a mapping of names to such.

        The same for the same input: what is random in it is drawn from a seed.
        """
        ...


MODEL_PARTS = ("predict", "parameters", "input_example", "pip_requirements")


def missing_parts(model: Any) -> list[str]:
    """Parts of the contract that a trained model does not have."""
    return [name for name in MODEL_PARTS if getattr(model, name, None) is None]


def test_metrics_of(model: Any, measured: Mapping[str, float]) -> dict[str, float]:
    """The test metrics that a trained model has.

    Args:
        model: one member's; most have none.
        measured: the metrics of the last measurement, whose names they may not take.

    Raises:
        StudyError: a name does not begin with test/, or is that of a measured metric.
    """
    found = {str(name): float(value) for name, value in (getattr(model, "test_metrics", None) or {}).items()}
    for name in found:
        if not name.startswith(TEST_PREFIX) or name in measured:
            why = "is measured in training, too" if name in measured else f"does not begin with {TEST_PREFIX}"
            raise StudyError(f"the model's test_metrics: {name!r} {why}; rename it")
    return found
