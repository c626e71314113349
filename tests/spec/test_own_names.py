"""Other names of a study's parameters hold anywhere in a sweep file and beside it; what comes out has its own names."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from rothamsted.errors import SpecError
from rothamsted.spec import Sweep, load_sweep, resolved
from rothamsted.studies import field_types, set_fields

ALIASES = {
    "training.optimizer.params.lr": "optimizer.lr",
    "training.optimizer.name": "optimizer.name",
    "training.optimizer.params.momentum": "optimizer.momentum",
    "training.epochs": "epochs",
    "training.seed": "seed",
    "training.data_seed": "data_seed",
}


class Optimizer(BaseModel, frozen=True, extra="forbid"):
    """A section."""

    name: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.0


class Config(BaseModel, frozen=True, extra="forbid"):
    """A study whose users come with other names."""

    seed: int = 0
    data_seed: int = 0
    epochs: int = 3
    optimizer: Optimizer = Field(default=Optimizer())


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


FILE = """\
name: other-names
study: hydra
parameters: {training.epochs: 5}
space:
  training.optimizer.params.lr: {low: 1.0e-3, high: 1.0, log: true, points: 4}
  training.optimizer.name: [sgd, heavy]
  training.optimizer.params.momentum: {low: 0.0, high: 0.9, points: 2, when: {training.optimizer.name: heavy}}
objective: {metric: val_loss, direction: minimize}
enqueue:
  - {training.optimizer.params.lr: 0.01, training.optimizer.name: sgd}
replicates: {count: 3, vary: [seed, training.data_seed]}
"""
OWN = FILE
for other, name in ALIASES.items():
    OWN = OWN.replace(other, name)


def load(at: Path, text: str = FILE, **overrides: str) -> Sweep:
    """The file as it is loaded, with what the command line says."""
    (at / "sweep.yaml").write_text(text)
    return load_sweep(
        "sweep.yaml",
        {name.replace("__", "."): value for name, value in overrides.items()},
        parameter_names=lambda study: field_types(Config) if study == "hydra" else None,
        check_condition=lambda study, flat: set_fields(Config, flat) and None,
        known_studies=("hydra",),
        aliases_of=lambda study: ALIASES,
    )


def test_a_file_in_other_names_is_the_file_in_the_studys_own(at: Path) -> None:
    assert resolved(load(at)) == resolved(load(at, OWN))
    assert list(load(at).space) == ["optimizer.lr", "optimizer.name", "optimizer.momentum"]


def test_other_names_may_be_nested(at: Path) -> None:
    nested = FILE.replace("{training.epochs: 5}", "{training: {epochs: 5}}")
    nested = nested.replace("- {training.optimizer.params.lr: 0.01, training.optimizer.name: sgd}",
                            "- {training: {optimizer: {params: {lr: 0.01}, name: sgd}}}")  # fmt: skip
    assert resolved(load(at, nested)) == resolved(load(at, OWN))


def test_other_names_hold_for_stages_the_reference_and_the_task(at: Path) -> None:
    text = FILE[: FILE.index("enqueue")].replace("parameters: {training.epochs: 5}\n", "")
    staged = text + "stages: [{parameters: {training.epochs: 1}}, {keep: 2, parameters: {training.epochs: 5}}]\n"
    assert [stage.parameters for stage in load(at, staged).stages] == [{"epochs": 1}, {"epochs": 5}]
    two = text[: text.index("  training.optimizer.params.momentum")] + text[text.index("objective") :]
    reference = "statistics: {reference: {training.optimizer.params.lr: 0.1, training.optimizer.name: sgd}}\n"
    assert load(at, two + reference).statistics.reference == {"optimizer.lr": 0.1, "optimizer.name": "sgd"}
    task = load(at, two + "task: training.optimizer.name\n").task
    assert task is not None
    assert task.factor == "optimizer.name"


@pytest.mark.parametrize("name", ["training.optimizer.params.lr", "optimizer.lr"])
def test_the_command_line_fixes_and_varies_by_either_name(at: Path, name: str) -> None:
    small = FILE[: FILE.index("enqueue")]
    assert load(at, small, **{name: "0.5"}).parameters == {"epochs": 5, "optimizer.lr": 0.5}
    assert list(load(at, small, **{name: "0.5"}).space) == ["optimizer.name", "optimizer.momentum"]
    assert load(at, small, set=f"{name}=0.5").parameters["optimizer.lr"] == 0.5
    assert (
        load(at, small, **{f"space.{name}.points": "7"}).space["optimizer.lr"]
        == (load(at, small.replace("points: 4", "points: 7")).space["optimizer.lr"])
    )
    varied = load(at, small.replace("training.epochs: 5", "training.optimizer.params.lr: 1").replace(
        "  training.optimizer.params.lr: {low: 1.0e-3, high: 1.0, log: true, points: 4}\n", ""),
        space=f"{name}=0.1,0.2")  # fmt: skip
    assert varied.parameters == {}
    assert varied.space["optimizer.lr"] == load(at, small, space="optimizer.lr=0.1,0.2").space["optimizer.lr"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "space:\n",
            "space:\n  optimizer.lr: [0.1, 0.2]\n",
            r"sweep.yaml:6: space.training.optimizer.params.lr: is the same parameter as optimizer.lr; give one of",
        ),
        (
            "{training.epochs: 5}",
            "{training.epochs: 5, epochs: 6}",
            r"sweep.yaml:3: parameters.epochs: is the same parameter as training.epochs; give one of the two",
        ),
        (
            "when: {training.optimizer.name: heavy}",
            "when: {training.optimizer.name: heavy, optimizer.name: sgd}",
            r"optimizer.name: is the same parameter as training.optimizer.name; give one of the two",
        ),
        ("{training.epochs: 5}", "{training.optimizer.params.lr: 5}", r"is fixed here and varies in space"),
        ("{training.epochs: 5}", "{training.seed: 5}", r"the seed comes from the replicates"),
        ("{training.epochs: 5}", "{training.epoch: 5}", r"is not a parameter of study 'hydra'; .*epochs"),
    ],
)
def test_two_names_of_one_parameter_and_what_no_name_may_be_are_refused_in_one_line(
    at: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message) as refused:
        load(at, FILE.replace(old, new, 1))
    assert "\n" not in str(refused.value)


def test_two_names_of_one_parameter_on_the_command_line_are_refused(at: Path) -> None:
    small = FILE[: FILE.index("enqueue")]
    with pytest.raises(SpecError, match=r"command line: .*lr: is the same parameter as .*lr; give one of the two"):
        load(at, small, **{"optimizer.lr": "1", "training.optimizer.params.lr": "2"})
    with pytest.raises(SpecError, match=r"command line: .*lr: is the same parameter as .*lr; give one of the two"):
        load(at, small, space="optimizer.lr=1,2 training.optimizer.params.lr=2,3")
