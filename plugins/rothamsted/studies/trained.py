"""Check the trained model that a study returns, and read its test metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rothamsted.errors import StudyError
from rothamsted.metric import TEST_PREFIX

MODEL_PARTS = ("predict", "parameters", "input_example", "pip_requirements")  # docs/design.md says what each is


def missing_parts(model: Any) -> list[str]:
    """Name the parts of the contract that a trained model does not have."""
    return [name for name in MODEL_PARTS if getattr(model, name, None) is None]


def test_metrics_of(model: Any, measured: Mapping[str, float]) -> dict[str, float]:
    """Return the test metrics that a trained model has.

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
