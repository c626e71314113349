"""The command line of a study: every field is an option, and every mistake one line with status 2."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from rothamsted.errors import StudyError, UserError
from rothamsted.studies import ByHand, Study
from rothamsted.studies.command_line import parse
from tests.studies.conftest import RunToy, toy_environment
from tests.toy import STUDY, Config, Optimizer, train


def test_without_options_the_config_is_the_default() -> None:
    assert parse(STUDY, []) == (Config(), ByHand())


def test_fields_are_options_nested_ones_too() -> None:
    # 1e-3 is text to PyYAML and a number to whoever types it.
    config, _ = parse(STUDY, ["--lr", "1e-3", "--optimizer.momentum=0.5", "--fail", "true", "--x", "-2"])
    assert config == Config(lr=0.001, optimizer=Optimizer(momentum=0.5), fail=True, x=-2.0)


def test_options_after_a_file_override_it(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text("lr: 0.5\noptimizer: {momentum: 0.25}\n")
    config, _ = parse(STUDY, ["--config", str(path), "--lr", "0.75"])
    assert config == Config(lr=0.75, optimizer=Optimizer(momentum=0.25))


def test_options_of_running_by_hand_are_read(tmp_path: Path) -> None:
    _, options = parse(STUDY, ["--checkpoint-dir", "ck", "--checkpoint-every", "5", "--output", "out"])
    assert options == ByHand(checkpoint_dir=Path("ck"), checkpoint_seconds=5.0, output=Path("out"))


MISTAKES = {
    "rule": (["--lr=-1"], "--lr of Config: must be greater than 0, not -1"),
    "type": (["--steps", "many"], "--steps of Config: must be a valid integer"),
    "choice": (["--optimizer.name", "adam"], "--optimizer.name of Config: must be 'sgd' or 'heavy_ball'"),
    "unknown": (["--optimizer.lr", "1"], "--optimizer.lr is not an option; "),
    "abbreviated": (["--step", "1"], "--step is not an option; did you mean steps?"),
    "no value": (["--lr"], "argument --lr: expected one argument"),
    "no file": (["--config", "gone.yaml"], "gone.yaml"),
    "contradiction": (["--no-save", "--output", "out"], "--no-save leaves nothing behind"),
    "negative time": (["--checkpoint-every=-1"], "--checkpoint-every: must be 0 or more seconds, not -1.0"),
}


@pytest.mark.parametrize("kind", sorted(MISTAKES))
def test_a_mistake_is_one_line_that_names_it(kind: str) -> None:
    arguments, message = MISTAKES[kind]
    with pytest.raises(StudyError) as refused:
        parse(STUDY, arguments)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_field_in_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text("learning_rate: 0.5\n")
    with pytest.raises(UserError, match=r"toy\.yaml:1: learning_rate: is not a field of Config"):
        parse(STUDY, ["--config", str(path)])


class Taken(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int = 0
    output: str = ""


def test_a_field_with_the_name_of_an_option_is_refused() -> None:
    study = Study(name="taken", config=Taken, train=train, rtol=0.0)
    with pytest.raises(StudyError, match="output is named like an option"):
        parse(study, [])


def test_a_mistake_in_the_terminal_is_one_line_and_status_2(run_toy: RunToy, home: Path) -> None:
    before = sorted(home.iterdir())
    done = run_toy("--lr=-1")
    assert done.returncode == 2
    assert done.stderr == "error: --lr of Config: must be greater than 0, not -1\n"
    assert sorted(home.iterdir()) == before


HELP = {"tests.toy": "share of the last move that is kept", "projects.batch_size": "heavy-ball momentum"}


@pytest.mark.parametrize("module", sorted(HELP))
def test_help_says_what_a_field_means_and_does_not_wait_for_mlflow(module: str) -> None:
    program = f"""
import sys
from {module}.__main__ import STUDY, main
try:
    main(STUDY, ["--help"])
except SystemExit as ended:
    slow = {{"mlflow", "matplotlib", "optuna", "jax", "torch", "pandas"}} & set(sys.modules)
    sys.exit(f"imported: {{slow}}" if slow or ended.code else 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], env=toy_environment(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "--optimizer.momentum" in done.stdout
    assert HELP[module] in " ".join(done.stdout.split())
