"""Parameters of a sweep from `set=` in Hydra's grammar and from a file of their own: what wins, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rothamsted.errors import SpecError
from rothamsted.spec import Sweep, from_resolved, load_sweep, resolved
from rothamsted.studies import field_types, set_fields
from tests.sketch import STUDY

SWEEP = """\
name: sketches
study: sketch
parameters: {steps: 2, model.dropout: 0.1}
space: {lr: [0.25, 0.5]}
objective: {metric: validation/loss, direction: minimize}
"""


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, which is the project's root."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(at: Path, text: str = SWEEP, **overrides: str) -> Sweep:
    (at / "sweep.yaml").write_text(text)
    return load_sweep(
        "sweep.yaml",
        overrides,
        parameter_names=lambda study: field_types(STUDY.config) if study == "sketch" else None,
        check_condition=lambda study, flat: set_fields(STUDY.config, flat) and None,
        known_studies=("sketch",),
    )


# ---- set ----


def test_set_fixes_parameters_and_takes_them_out_of_the_space(at: Path) -> None:
    sweep = load(at, set="model.hidden=[256,256,128] model.dropout=0.2 lr=1e-1 weights={a:1}")
    assert sweep.parameters == {
        "steps": 2,
        "model.dropout": 0.2,
        "model.hidden": [256, 256, 128],
        "lr": 0.1,
        "weights": {"a": 1},
    }
    assert sweep.space == {}


def test_set_gives_a_group_as_a_whole(at: Path) -> None:
    sweep = load(at, set="model={hidden:[7],dropout:0.5}")
    assert (sweep.parameters["model.hidden"], sweep.parameters["model.dropout"]) == ([7], 0.5)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"set": "lr=0.1,0.2"}, r"command line: set\.lr: 'lr=0\.1,0\.2' gives several values"),
        ({"set": "lr=0.1", "lr": "0.2"}, r"command line: set\.lr: is given by lr=0\.2, too; give one of the two"),
        ({"set": "lr=0.1", "parameters.lr": "0.2"}, r"set\.lr: is given by parameters\.lr=0\.2, too"),
        ({"set": "lr=0.1", "space": "lr=0.1,0.2"}, r"lr: is fixed and given a domain, both on the command line"),
        ({"set": "trials=3"}, r"command line: trials: is not a parameter of study 'sketch'; known: "),
        ({"set": "model.hidden=3"}, r"command line: parameters\.model\.hidden: must be a list, not 3"),
        ({"set": "seed=3"}, r"the seed comes from the replicates"),
    ],
)
def test_what_set_cannot_take_is_refused(at: Path, overrides: dict[str, str], reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        load(at, **overrides)


# ---- parameters_file ----


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.json", '{"seed": 4, "lr": 1e-1, "steps": 9, "model": {"hidden": [3, 2], "dropout": 0.3}}'),
        ("own.yaml", "seed: 4\nlr: 1e-1\nsteps: 9\nmodel.hidden: [3, 2]\nmodel: {dropout: 0.3}\n"),
    ],
)
def test_a_parameters_file_lies_below_the_sweep_file_and_the_command_line(at: Path, name: str, text: str) -> None:
    (at / name).write_text(text)
    file = f"{SWEEP}parameters_file: {name}\n"
    below = {"model.hidden": [3, 2]}  # lr varies, steps and dropout are the sweep file's, the seed is the replicates'
    assert load(at, file).parameters == {"steps": 2, "model.dropout": 0.1} | below
    assert load(at, parameters_file=name).parameters == {"steps": 2, "model.dropout": 0.1} | below
    assert load(at, file, set="model.hidden=[9]").parameters["model.hidden"] == [9]
    assert list(load(at, file).space) == ["lr"]


def test_a_recorded_sweep_holds_what_was_read_and_not_the_file(at: Path) -> None:
    (at / "own.yaml").write_text("model.hidden: [3, 2]\n")
    plain: dict[str, Any] = resolved(load(at, parameters_file="own.yaml"))
    assert "parameters_file" not in plain
    assert from_resolved(plain).parameters["model.hidden"] == [3, 2]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "steps: 1\nmodel:\n  hiden: [3]\n",
            r"own\.yaml:3: parameters\.model\.hiden: is not a parameter of study 'sketch'",
        ),
        ("model.hidden: fast\n", r"own\.yaml:1: parameters\.model\.hidden: .*'fast'"),
        ("- 1\n", r"own\.yaml: must be a mapping"),
        ("model.hidden: [3\n", r"own\.yaml:\d: is not YAML"),
    ],
)
def test_a_parameters_file_that_does_not_fit_is_refused_with_its_place(at: Path, text: str, reason: str) -> None:
    (at / "own.yaml").write_text(text)
    with pytest.raises(SpecError, match=reason):
        load(at, parameters_file="own.yaml")


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nowhere.yaml", "there is no file nowhere.yaml; give a path from the project's root"), ("3", "must be the path")],
)
def test_a_parameters_file_that_is_missing_is_named(at: Path, name: str, reason: str) -> None:
    with pytest.raises(SpecError, match=rf"command line: parameters_file: {reason}"):
        load(at, parameters_file=name)


# ---- lists and mappings as choices ----


def test_lists_and_mappings_are_values_and_choices(at: Path) -> None:
    space = "space: {model.hidden: [[4], [2, 3]], weights: {values: [{a: 1.0}, {}]}}"
    sweep = load(at, SWEEP.replace("space: {lr: [0.25, 0.5]}", space))
    assert sweep.search_space.grid() == [
        {"model.hidden": hidden, "weights": weights} for hidden in ([4], [2, 3]) for weights in ({"a": 1.0}, {})
    ]
    again = from_resolved(resolved(sweep))
    assert again.space == sweep.space


def test_choices_of_lists_can_be_given_in_hydras_grammar(at: Path) -> None:
    sweep = load(at, space="model.hidden=[256],[256,128]")
    assert sweep.space["model.hidden"].grid_points() == ([256], [256, 128])
