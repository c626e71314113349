"""A sweep file in a folder of its own, loaded against the toy study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rothamsted.errors import StudyError
from rothamsted.spec import Sweep, load_sweep
from rothamsted.studies import field_types, set_fields
from tests.toy import STUDY

STUDIES = {"toy": STUDY}

TOY_SWEEP = """\
# Question: which step size is best?
name: toy-lr
study: toy
parameters: {steps: 10}
space:
  lr: {low: 1.0e-3, high: 1.0, log: true, points: 4}
  optimizer.name: [sgd, heavy_ball]
  optimizer.momentum: {low: 0.0, high: 0.9, points: 2, when: {optimizer.name: heavy_ball}}
objective: {metric: val_loss, direction: minimize}
"""


def parameter_names(study: str) -> Mapping[str, Any] | None:
    """The toy's parameters with their types; None for any other study."""
    return field_types(STUDIES[study].config) if study in STUDIES else None


def check_condition(study: str, flat: Mapping[str, Any]) -> None:
    """Build the study's config, which checks its fields and what they must agree on."""
    config = set_fields(STUDIES[study].config, flat)
    if getattr(config, "n_points", 0) > getattr(config, "steps", 0):
        raise StudyError(f"n_points of Config: must be at most steps, not {flat.get('n_points')}")


class SweepFile:
    """The toy's sweep file, changed, written and loaded."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sweep.yaml"

    def load(self, text: str = TOY_SWEEP, overrides: Mapping[str, str] | None = None) -> Sweep:
        """Write the text and load it with what the command line overrides."""
        self.path.write_text(text, encoding="utf-8")
        return load_sweep(
            self.path.name,
            overrides,
            parameter_names=parameter_names,
            check_condition=check_condition,
            known_studies=tuple(STUDIES),
        )

    def load_changed(self, old: str, new: str, overrides: Mapping[str, str] | None = None) -> Sweep:
        """Load the toy's sweep with the first occurrence of a piece of text replaced."""
        if old not in TOY_SWEEP:
            raise ValueError(f"the toy's sweep does not hold {old!r}")
        return self.load(TOY_SWEEP.replace(old, new, 1), overrides)


@pytest.fixture
def sweep_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepFile:
    """A sweep file in the working directory, so that errors name it as `sweep.yaml`."""
    monkeypatch.chdir(tmp_path)
    return SweepFile(tmp_path)
