"""A bad sweep file: each mistake gives one line with place, key, rule, value and way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from rothamsted.errors import SpecError
from rothamsted.spec import NOT_YET, NotYet, load_sweep
from tests.spec.conftest import TOY_SWEEP, SweepFile, parameter_names


def _refusal(sweep_file: SweepFile, old: str, new: str, overrides: Mapping[str, str] | None = None) -> str:
    with pytest.raises(SpecError) as error:
        sweep_file.load_changed(old, new, overrides)
    return str(error.value)


# (text of the toy's sweep, what stands there instead, line and key, what it must say)
MISTAKES = {
    "unknown key": ("name:", "nmae:", "2: nmae: ", "did you mean name?"),
    "unknown key below": (
        "direction: minimize",
        "direction: minimize, redcue: best",
        "9: objective.redcue: ",
        "did you mean reduce?",
    ),
    "key given twice": ("study: toy", "name: x", "3: name: ", "given twice, first in line 2"),
    "missing study": ("study: toy\n", "", " study: ", "is missing; known: toy"),
    "unknown study": ("study: toy", "study: tyo", "3: study: ", "no study 'tyo'; did you mean toy?"),
    "missing objective": ("objective:", "# ", " objective: ", "is missing; say what is optimised"),
    "unknown parameter": ("steps: 10", "stpes: 10", "4: parameters.stpes: ", "did you mean steps?"),
    "unknown parameter in the space": ("  lr:", "  lrr:", "6: space.lrr: ", "did you mean lr?"),
    "group of parameters in the space": (
        "optimizer.name: [",
        "optimizer: [",
        "7: space.optimizer: ",
        "did you mean optimizer.name or optimizer.momentum?",
    ),
    "the seed as a parameter": ("steps: 10", "seed: 1", "4: parameters.seed: ", "replicates.seeds"),
    "fixed and in the space": ("steps: 10", "lr: 0.1", "4: parameters.lr: ", "remove one of the two"),
    "given dotted and nested": (
        "{steps: 10}",
        "{optimizer: {momentum: 0.1}, optimizer.momentum: 0.2}",
        "4: parameters.optimizer.momentum: ",
        "given twice",
    ),
    "low above high": ("high: 1.0,", "high: 1.0e-4,", "6: space.lr.low: ", "0.001 is above high 0.0001"),
    "log range at zero": ("low: 1.0e-3", "low: 0.0", "6: space.lr.low: ", "must start above zero"),
    "missing end": ("high: 1.0, ", "", "6: space.lr: ", "high is missing"),
    "unknown key of a domain": ("points: 4", "piont: 4", "6: space.lr.piont: ", "did you mean 'points'?"),
    "grid without points": (", points: 4", "", "6: space.lr.points: ", "give points, or a step"),
    "empty choice": ("[sgd, heavy_ball]", "[]", "7: space.optimizer.name: ", "at least one value"),
    "choice of an unknown value": (
        "[sgd, heavy_ball]",
        "[sgd, adam]",
        "7: space.optimizer.name[1]: ",
        "must be 'sgd' or 'heavy_ball', not 'adam'",
    ),
    "same value twice": ("[sgd, heavy_ball]", "[sgd, sgd]", "7: space.optimizer.name: ", "twice"),
    "when on an unknown parameter": (
        "when: {optimizer.name: heavy_ball}",
        "when: {optimizer.nme: heavy_ball}",
        "8: space.optimizer.momentum.when.optimizer.nme: ",
        "neither in the space nor fixed",
    ),
    "when on a value that cannot be": (
        "when: {optimizer.name: heavy_ball}",
        "when: {optimizer.name: adam}",
        "8: space.optimizer.momentum.when.optimizer.name: ",
        "can never be 'adam'",
    ),
    "number for text": ("steps: 10", "fail_with: 3", "4: parameters.fail_with: ", "not 3"),
    "text for a number": ("steps: 10", "steps: ten", "4: parameters.steps: ", "not 'ten'"),
    "quoted text for a number": ("steps: 10", "x: '1e-3'", "4: parameters.x: ", "not the text '1e-3'"),
    "number for a whole number": ("steps: 10", "steps: 10.0", "4: parameters.steps: ", "10.0"),
    "number for a truth value": ("steps: 10", "fail: 1", "4: parameters.fail: ", "boolean"),
    "whole numbers asked for": (
        "space:",
        "space:\n  n_points: {low: 10.0, high: 20.0, points: 2}",
        "6: space.n_points.low: ",
        "must be a whole number, not 10.0",
    ),
    "value below the study's bound": ("steps: 10", "x: 1.0, steps: 0", "4: parameters.steps: ", "not 0"),
    "what the study refuses": (
        "space:",
        "space:\n  n_points: [5, 50]",
        "6: space.n_points: ",
        "study 'toy' refuses it under {'n_points': 50,",
    ),
    "quoted text in a range": ("1.0e-3", "'1e-3'", "6: space.lr.low: ", "must be a finite number, not '1e-3'"),
    "not a number": ("1.0e-3", ".nan", "6: space.lr.low: ", "must be a finite number, not .nan"),
    "infinity": ("high: 1.0,", "high: inf,", "6: space.lr.high: ", "must be a finite number, not inf"),
    "a truth value of YAML 1.1": ("toy-lr", "no", "2: name: ", "reads no as a boolean"),
    "a date": ("toy-lr", "2025-01-01", "2: name: ", "reads 2025-01-01 as a date; quote it"),
    "base sixty": ("name:", "timeout: 1:30\nname:", "2: timeout: ", "1:30 is not a decimal number"),
    "a leading zero": ("steps: 10", "steps: 010", "4: parameters.steps: ", "010 is not a decimal number"),
    "bad characters in the name": ("toy-lr", "toy/lr", "2: name: ", "not 'toy/lr'"),
    "a name that is a number": ("toy-lr", "7", "2: name: ", "not 7"),
    "trials of a grid": ("name:", "trials: 5\nname:", "2: trials: ", "its own number of conditions, 12"),
    "no trials": ("name:", "sampler: {name: qmc}\nname:", " trials: ", "sampler qmc has no end"),
    "no trial": ("name:", "trials: 0\nname:", "2: trials: ", "greater than or equal to 1, not 0"),
    "truth value for a count": ("name:", "trials: true\nname:", "2: trials: ", "not True"),
    "unknown sampler": (
        "name:",
        "sampler: grdi\nname:",
        "2: sampler.name: ",
        "no sampler 'grdi'; did you mean grid?",
    ),
    "unknown direction": ("minimize", "min", "9: objective.direction: ", "'minimize' or 'maximize', not 'min'"),
    "unknown reduction": (
        "direction: minimize",
        "direction: minimize, reduce: {mean_of_last: 0}",
        "9: objective.reduce: ",
        "{mean_of_last: K} with K from 1 to 1000000000000, not {'mean_of_last': 0}",
    ),
    "bad duration": ("name:", "timeout: soon\nname:", "2: timeout: ", "90s, 10m or 1h30m, not 'soon'"),
    "bad workers": (
        "name:",
        "execution: {workers: 0}\nname:",
        "2: execution.workers: ",
        "auto for one per core, not 0",
    ),
    "a reference that the space does not have": (
        "name:",
        "statistics: {reference: {learning: 0.1}}\nname:",
        "2: statistics.reference.learning: ",
        "is not a parameter of this space; known: ",
    ),
    "bad level": ("name:", "statistics: {level: 95}\nname:", "2: statistics.level: ", "not 95"),
    "bad storage": ("name:", "storage: optuna.db\nname:", "2: storage: ", "sqlite:///optuna.db, not 'optuna.db'"),
    "seeds and count": (
        "name:",
        "replicates: {count: 2, seeds: [1, 2, 3]}\nname:",
        "2: replicates.count: ",
        "2 replicates, but 3 seeds",
    ),
    "seed twice": ("name:", "replicates: {seeds: [4, 4]}\nname:", "2: replicates.seeds: ", "4 is given twice"),
    "seed that is none": ("name:", "replicates: {seeds: [a]}\nname:", "2: replicates.seeds[0]: ", "not 'a'"),
    "negative seed": ("name:", "replicates: {seeds: [-1]}\nname:", "2: replicates.seeds[0]: ", "not -1"),
    "no replicate": ("name:", "replicates: 0\nname:", "2: replicates.count: ", "not 0"),
    "racing and count": (
        "name:",
        "replicates: {count: 3, racing: {min: 3, max: 9}}\nname:",
        "2: replicates.count: ",
        "cannot be given with racing",
    ),
    "racing and seeds": (
        "name:",
        "replicates: {seeds: [1, 2], racing: {min: 3, max: 9}}\nname:",
        "2: replicates.seeds: ",
        "give one of the two",
    ),
    "nothing to race for": (
        "name:",
        "replicates: {racing: {min: 3, max: 3}}\nname:",
        "2: replicates.racing.max: ",
        "3 is not above min 3, so there is nothing to race for",
    ),
    "a race that steps over its end": (
        "name:",
        "replicates: {racing: {min: 3, max: 6, step: 4}}\nname:",
        "2: replicates.racing.step: ",
        "4 is more than the 3 from min to max",
    ),
    "a race of one replicate": (
        "name:",
        "replicates: {racing: {min: 1, max: 6}}\nname:",
        "2: replicates.racing.min: ",
        "greater than or equal to 2, not 1",
    ),
    "no width": (
        "name:",
        "replicates: {racing: {narrower_than: 0.0}}\nname:",
        "2: replicates.racing.narrower_than: ",
        "greater than 0, not 0.0",
    ),
    "unknown key of a race": (
        "name:",
        "replicates: {racing: {mni: 3}}\nname:",
        "2: replicates.racing.mni: ",
        "did you mean min?",
    ),
    "a race beside the replicates": ("name:", "racing: {min: 3}\nname:", "2: racing: ", "replicates: {racing: "),
    "seeds of a race beyond the largest": (
        "name:",
        "replicates: {first_seed: 4294967290, racing: {max: 20}}\nname:",
        "2: replicates.first_seed: ",
        "leads to seeds above",
    ),
    "a fresh seed that the search has": (
        "name:",
        "confirm: {seeds: [9, 2]}\nname:",
        "2: confirm.seeds: ",
        "2 is a seed of the search",
    ),
    "first fresh seed within the search's": (
        "name:",
        "confirm: {first_seed: 1}\nname:",
        "2: confirm.first_seed: ",
        "1 is a seed of the search",
    ),
    "promotion without a confirmation": (
        "name:",
        "promote: registry/toy.yaml\nname:",
        "2: promote: ",
        "needs confirm: a search's own estimate of its winner is no evidence; add confirm:",
    ),
    "promotion without models": (
        "name:",
        "promote: registry/toy.yaml\nconfirm: {keep: 1}\nmodels: none\nname:",
        "2: promote: ",
        "models is none; remove one of the two",
    ),
    "fresh seed twice": ("name:", "confirm: {seeds: [9, 9]}\nname:", "2: confirm.seeds: ", "9 is given twice"),
    "fresh seeds and count": (
        "name:",
        "confirm: {replicates: 3, seeds: [8, 9]}\nname:",
        "2: confirm.replicates: ",
        "3 replicates, but 2 seeds",
    ),
    "fresh seeds and the first": (
        "name:",
        "confirm: {first_seed: 8, seeds: [8, 9]}\nname:",
        "2: confirm.first_seed: ",
        "cannot be given with seeds",
    ),
    "no room for fresh seeds": (
        "name:",
        "replicates: {seeds: [4294967295]}\nconfirm: {replicates: 2}\nname:",
        "3: confirm: ",
        "give a smaller first_seed",
    ),
    "more winners than conditions": (
        "name:",
        "confirm: {keep: 13}\nname:",
        "2: confirm.keep: ",
        "13 is more than the 12 conditions; give at most 12",
    ),
    "one fresh seed": ("name:", "confirm: {replicates: 1}\nname:", "2: confirm.replicates: ", "equal to 2, not 1"),
    "unknown key of a confirmation": (
        "name:",
        "confirm: {kep: 1}\nname:",
        "2: confirm.kep: ",
        "did you mean keep?",
    ),
    "the name of a confirmation": ("toy-lr", "toy-lr.confirm", "2: name: ", "must not end in .confirm"),
    "unknown interval": (
        "name:",
        "statistics: {interval: tt}\nname:",
        "2: statistics.interval: ",
        "there is no interval 'tt'; did you mean t? known: t, percentile, bca, wilson",
    ),
    "unknown correction": (
        "name:",
        "statistics: {correction: hom}\nname:",
        "2: statistics.correction: ",
        "there is no correction 'hom'; did you mean holm? known: holm, bonferroni",
    ),
    "a key that is no text": ("name:", "3: x\nname:", "2: ", "a key must be text, not 3"),
    "no YAML": ("steps: 10}", "steps: 10", "5: ", "is not YAML"),
    "a YAML object": ("toy-lr", "!!python/object:os.x {}", "2: name: ", "must be"),
    "an alias to itself": ("{steps: 10}", "&a {x: *a}", "4: parameters.x: ", "contains itself"),
    "a list for a mapping": ("{steps: 10}", "[steps]", "4: parameters: ", "must be a mapping"),
}


@pytest.mark.parametrize(("old", "new", "start", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_with_its_line_and_key(
    sweep_file: SweepFile, old: str, new: str, start: str, says: str
) -> None:
    message = _refusal(sweep_file, old, new)
    assert (message.startswith(f"sweep.yaml:{start}"), says in message) == (True, True), message


@pytest.mark.parametrize(("old", "new", "start", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_takes_one_line(sweep_file: SweepFile, old: str, new: str, start: str, says: str) -> None:
    assert "\n" not in _refusal(sweep_file, old, new)


COMMAND_LINE_MISTAKES = {
    "unknown key": (
        {"trails": "3"},
        "trails: is neither a key of a sweep file nor a parameter of study 'toy'",
    ),
    "unknown key below": ({"execution.wrokers": "3"}, "execution.wrokers: is not a key"),
    "parameter without its group": ({"momentum": "0.5"}, "did you mean optimizer.momentum?"),
    "text for a number": ({"steps": "ten"}, "parameters.steps: must be"),
    "no whole number": (
        {"trials": "1.5e0", "sampler": "random"},
        "trials: must be a valid integer, not 1.5",
    ),
    "no YAML": ({"steps": "[1"}, "steps: is not YAML"),
    "the seed": ({"seed": "3"}, "parameters.seed: the seed comes from the replicates"),
    "a key below a value": ({"name.x": "3"}, "name.x: name is 'toy-lr' and has no keys below it"),
    "Hydra cannot read": ({"space": "lr"}, "space: Hydra cannot read 'lr'"),
    "Hydra's interval upside down": ({"space": "lr=interval(5,1)"}, "space.lr.low: 5.0 is above high 1.0"),
    "Hydra's unknown parameter": ({"space": "rl=1,2"}, "space.rl: is not a parameter of study 'toy'"),
    "an interval of numbers for whole ones": ({"space": "steps=interval(8,64)"}, "int(interval(…))"),
    "varied and fixed at once": (
        {"space": "lr=0.1,0.2", "lr": "0.1"},
        "space.lr: is fixed and given",
    ),
    "a study that is not there": ({"study": "other"}, "study: there is no study 'other'"),
}


@pytest.mark.parametrize(("overrides", "says"), COMMAND_LINE_MISTAKES.values(), ids=COMMAND_LINE_MISTAKES)
def test_a_mistake_on_the_command_line_is_said_to_be_there(
    sweep_file: SweepFile, overrides: dict[str, str], says: str
) -> None:
    message = _refusal(sweep_file, "toy-lr", "toy-lr", overrides)
    assert (message.startswith("command line: "), says in message) == (True, True), message


@pytest.mark.parametrize("row", NOT_YET, ids=lambda row: row.key)
def test_what_is_known_and_not_built_is_refused_with_its_reason(sweep_file: SweepFile, row: NotYet) -> None:
    with pytest.raises(SpecError, match="known, but not available in this version") as error:
        sweep_file.load(f"{TOY_SWEEP}{row.key}: {{name: x}}\n")
    assert row.reason in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such file"),
        (b"name: \xff", "is not UTF-8 text"),
        (b"", "must be a mapping"),
        (b"- a\n", "must be a mapping"),
        (b"a: 1\n---\nb: 2\n", "is not YAML"),
    ],
)
def test_a_file_that_is_no_sweep_file_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "sweep.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError) as error:
        load_sweep(path, parameter_names=parameter_names)
    assert re.match(f"{re.escape(str(path))}.*{says}", str(error.value))


def test_a_folder_is_no_sweep_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="must be a file, and is a folder"):
        load_sweep(tmp_path, parameter_names=parameter_names)


def test_several_mistakes_of_the_schema_are_counted(sweep_file: SweepFile) -> None:
    message = _refusal(sweep_file, "name:", "timeout: soon\ntrials: many\nname:")
    assert message.endswith("(and 1 more)")
