"""A command swept with nothing but a script: what reaches it, how its numbers are read, how it ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rothamsted import tags
from rothamsted.cli.main import main
from rothamsted.errors import UserError
from rothamsted.sweeping.open.asked import code_of_target
from rothamsted.sweeping.open.from_file import load
from rothamsted.tracking import list_files, read_history, read_text
from tests.sweeping.strangers import Home

# A script in a language of its own would do: it prints how it was called, and reports in the way that it is told.
SCRIPT = """\
import json, os, sys, time

def report(**values):
    with open(os.environ["ROTHAMSTED_REPORT"], "a") as file:
        file.write(json.dumps(values) + "\\n")

given = dict(zip(sys.argv[2::2], sys.argv[3::2]))
lr, seed, how = float(given["--lr"]), int(given["--seed"]), sys.argv[1]
loss = lr + seed / 1000
print("called with", *sys.argv[1:])
if how == "lines":
    for step in range(1, 4):
        report(val_loss=loss + 1 / step)
elif how == "steps":
    report(val_loss=loss, step=10, epoch=0.5)
    report(train_loss=1.0, step=10)
elif how == "rothamsted":
    import rothamsted
    rothamsted.report(val_loss=loss)
    rothamsted.report({"val_loss": loss / 2}, step=7)
elif how == "last_line":
    print(json.dumps({"val_loss": loss, "model": "small"}))
elif how == "bad_line":
    report(val_loss=loss)
    with open(os.environ["ROTHAMSTED_REPORT"], "a") as file:
        file.write("val_loss 0.3\\n")
    time.sleep(60)
elif how == "null":
    report(val_loss=None)
elif how == "fails":
    raise RuntimeError("no such data")
elif how == "kills_its_run":
    import mlflow
    mlflow.start_run()
    mlflow.log_metric("val_loss", loss)
    mlflow.end_run("KILLED")
elif how == "slow":
    for step in range(1, 1000):
        report(val_loss=lr, step=step)
        time.sleep(0.05)
elif how == "slow_rothamsted":
    import rothamsted
    for step in range(1, 1000):
        rothamsted.report(val_loss=lr, step=step)
        time.sleep(0.05)
elif how == "same":
    report(val_loss=lr)
"""
SWEEP: dict[str, Any] = {"project": None, "seed_parameter": None, "name": "train"}


@pytest.fixture
def script(home: Home) -> Path:
    path = home.root / "train.py"
    path.write_text(SCRIPT)
    return path


def of(how: str, words: str = "{parameters}", **more: Any) -> dict[str, Any]:
    return {**SWEEP, "command": f"python train.py {how} {words}", **more}


def why(home: Home, how: str) -> str:
    run = home.one(of(how))
    assert (run.status, run.tags[tags.OUTCOME]) == ("FAILED", "failed")
    return run.tags[tags.REASON]


# ---- how its numbers are read ----


@pytest.mark.usefixtures("script")
def test_lines_of_json_are_a_curve(home: Home) -> None:
    run = home.one(of("lines"))
    curve = read_history([run.run_id], ["val_loss"], uri=home.uri)[run.run_id]
    # The script's own formula at steps 1, 2, 3, with lr 0.25 and seed 0.
    assert [(p.step, p.value) for p in curve] == [(1, 1.25), (2, 0.75), (3, pytest.approx(0.25 + 1 / 3))]
    assert (run.status, run.metrics["objective"]) == ("FINISHED", pytest.approx(0.25 + 1 / 3))


@pytest.mark.usefixtures("script")
def test_lines_may_say_their_step_and_epoch(home: Home) -> None:
    run = home.one(of("steps"))
    points = read_history([run.run_id], ["val_loss", "train_loss", "epoch"], uri=home.uri)[run.run_id]
    assert {(p.key, p.step, p.value) for p in points} == {
        ("val_loss", 10, 0.25),
        ("train_loss", 10, 1.0),
        ("epoch", 10, 0.5),
    }


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("is_warm", [False, True])
def test_a_script_may_report_by_the_engines_own_function(home: Home, is_warm: bool) -> None:
    run = home.one(of("rothamsted", execution={"warm_pool": is_warm}))
    curve = read_history([run.run_id], ["val_loss"], uri=home.uri)[run.run_id]
    assert [(point.step, point.value) for point in curve] == [(1, 0.25), (7, 0.125)]


@pytest.mark.usefixtures("script")
def test_the_last_line_of_output_is_enough(home: Home) -> None:
    home.run(of("last_line"))
    found = {(run.params["lr"], run.params["seed"]): run.metrics["val_loss"] for run in home.runs()}
    # lr + seed / 1000, by the script.
    assert found == {("0.25", "0"): 0.25, ("0.25", "1"): 0.251, ("0.5", "0"): 0.5, ("0.5", "1"): 0.501}


@pytest.mark.usefixtures("script")
def test_a_bad_line_ends_the_process_at_once_and_is_named(home: Home) -> None:
    said = why(home, "bad_line")  # the process would sleep for a minute
    assert said.startswith("line 2 of $ROTHAMSTED_REPORT: must be a JSON object such as")


@pytest.mark.usefixtures("script")
def test_a_process_that_says_nothing_is_told_the_three_ways(home: Home) -> None:
    said = why(home, "nothing")
    assert said == (
        "metric 'val_loss' was never logged; nothing was logged: log it with MLflow, with rothamsted.report (or a JSON "
        "object a line in the file $ROTHAMSTED_REPORT), or print a JSON object as the last line"
    )


@pytest.mark.usefixtures("script")
def test_a_null_is_divergence(home: Home) -> None:
    run = home.one(of("null"))
    assert (run.status, run.tags[tags.OUTCOME]) == ("FINISHED", "diverged")


@pytest.mark.usefixtures("script")
def test_a_script_that_raises_leaves_its_last_words(home: Home) -> None:
    assert why(home, "fails") == "its process ended with exit status 1: RuntimeError: no such data"


@pytest.mark.usefixtures("script")
def test_a_run_that_its_program_ended_as_killed_has_failed(home: Home) -> None:
    assert why(home, "kills_its_run") == "it ended its own MLflow run as KILLED"


@pytest.mark.usefixtures("script")
def test_training_is_stopped_early_from_outside_by_its_lines(home: Home) -> None:
    run = home.one(of("slow", early_stopping={"patience": 3}))
    curve = read_history([run.run_id], ["val_loss"], uri=home.uri)[run.run_id]
    assert (run.status, len(curve) < 999) == ("FINISHED", True)
    assert "has not improved" in run.tags[tags.STOPPED_EARLY]


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("program", ["slow", "slow_rothamsted"])
def test_a_pruner_ends_a_command_that_reports_lines_and_knows_nothing_of_it(home: Home, program: str) -> None:
    run = home.one(of(program, pruner={"name": "threshold", "upper": 0.2}))
    curve = read_history([run.run_id], ["val_loss"], uri=home.uri)[run.run_id]
    assert (run.status, run.tags[tags.OUTCOME], len(curve) < 999) == ("KILLED", "pruned", True)
    assert run.tags[tags.PRUNED_BECAUSE].startswith("at step 1 by pruner threshold: val_loss 0.25")
    assert "objective" not in run.metrics


@pytest.mark.usefixtures("script")
def test_a_seed_without_effect_stops_the_sweep(home: Home) -> None:
    with pytest.raises(UserError, match=r"the seed does not reach the command's program.*the program is given it as"):
        home.run(of("same"))


# ---- what reaches it ----

PARSERS = {  # how people write the command line of a training; each prints the sum of what it was given
    "argparse": """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--opt.lr", type=float)
parser.add_argument("--seed", type=int)
given = vars(parser.parse_args())
print('{"val_loss": %r}' % (given["opt.lr"] + given["seed"]))
""",
    "click": """
import click

@click.command()
@click.option("--opt.lr", "lr", type=float)
@click.option("--seed", type=int)
def train(lr, seed):
    print('{"val_loss": %r}' % (lr + seed))

train()
""",
    "tyro": """
import dataclasses
import tyro

@dataclasses.dataclass
class Opt:
    lr: float = 0.1

def train(opt: Opt, seed: int) -> None:
    print('{"val_loss": %r}' % (opt.lr + seed))

tyro.cli(train)
""",
    "hydra": """
import hydra

@hydra.main(version_base=None, config_path=".", config_name="conf")
def train(cfg):
    print('{"val_loss": %r}' % (cfg.opt.lr + cfg.seed))

train()
""",
}


@pytest.mark.parametrize("parser", sorted(PARSERS))
def test_a_script_is_swept_with_the_parser_that_it_has(home: Home, parser: str) -> None:
    pytest.importorskip(parser)
    (home.root / "train.py").write_text(PARSERS[parser])
    (home.root / "conf.yaml").write_text("opt: {lr: 0.1}\nseed: 0\nhydra: {run: {dir: .}, output_subdir: null}\n")
    words = "{overrides}" if parser == "hydra" else "{parameters}"
    command = f"python train.py {words}"
    home.run({**SWEEP, "command": command, "space": {"opt.lr": [0.25, 0.5]}, "replicates": {"count": 2}})
    # The sum of a rate and a seed, by each script.
    assert sorted(run.metrics["val_loss"] for run in home.runs()) == [0.25, 0.5, 1.25, 1.5]


def test_all_the_ways_to_pass_parameters_reach_the_program(home: Home) -> None:
    (home.root / "show.py").write_text(
        "import json, sys, pathlib\n"
        "config = json.loads(pathlib.Path(sys.argv[sys.argv.index('--config') + 1]).read_text())\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])\n"
        "(out / 'below').mkdir()\n"
        "(out / 'below' / 'a.txt').write_text('kept')\n"
        "(out / 'scores.json').write_text(json.dumps({'test': {'loss': config['opt']['lr'] + config['seed']}}))\n"
        "print(json.dumps(sys.argv[5:]))\n"
    )
    run = home.one(
        {
            **SWEEP,
            "command": "python show.py --config {config} --out {output} {deep:flag} {wide:no_flag} 'x y' {overrides}",
            "space": {"opt.lr": [0.5]},
            "parameters": {"deep": True, "wide": False, "note": "it's"},
            "objective": {"metric": "test.loss", "direction": "minimize", "artifact": "scores.json"},
        }
    )
    assert (run.status, run.metrics["objective"]) == ("FINISHED", 0.5)  # of the file in {output}
    shown = json.loads(read_text(run.run_id, "output.txt", uri=home.uri) or "")
    assert shown == ["--deep", "--no-wide", "x y", "note='it\\'s'", "opt.lr=0.5", "seed=0"]
    config = json.loads(read_text(run.run_id, "config.json", uri=home.uri) or "")
    assert config == {"deep": True, "wide": False, "note": "it's", "opt": {"lr": 0.5}, "seed": 0}
    assert read_text(run.run_id, "below/a.txt", uri=home.uri) == "kept"
    assert {"config.json", "output.txt", "scores.json"} <= set(list_files(run.run_id, "", uri=home.uri))
    assert not list((home.root / ".rothamsted" / "output").iterdir())  # nothing is left beside the artifacts


@pytest.mark.usefixtures("script")
def test_a_sweep_of_a_command_says_which_script_and_code_it_ran(home: Home) -> None:
    home.run(of("lines"))
    [run] = home.runs("sweep")
    assert {one.tags["mlflow.source.name"] for one in (run, *home.runs("trial"))} == {"train.py"}
    assert run.tags["rothamsted.command"] == "python train.py lines {parameters}"
    assert run.tags[tags.STUDY] == "train.py"


def test_the_code_is_the_commands_text_and_its_script(home: Home, script: Path) -> None:
    def digest(how: str = "lines") -> Any:
        sweep, study = load(home.write(of(how)), {}, home.root)
        return code_of_target(sweep, study, home.root, record=None, source="").digest

    first = digest()
    assert digest("steps") != first
    (home.root / "data.csv").write_text("1,2\n")
    assert digest() == first
    script.write_text(SCRIPT + "# changed\n")
    assert digest() != first


# ---- how it is started ----


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize("words", ["{parameters}", "\\\n  --lr {lr} \\\n  --seed {seed}\n"])
def test_a_python_script_is_started_warm_also_over_several_lines(home: Home, words: str) -> None:
    events = home.run(of("lines", words, execution={"warm_pool": True}))
    assert not [event for event in events if event["event"] == "note"]  # which say why processes start cold
    assert [run.status for run in home.runs()] == ["FINISHED"] * 4
    assert len({run.metrics["objective"] for run in home.runs()}) == 4


MISTAKES: dict[str, tuple[Mapping[str, Any], str]] = {
    "no such script": ({"command": "python trian.py {parameters}"}, "there is no file 'trian.py' in"),
    "no such program": ({"command": "pyton train.py {parameters}"}, "there is no program 'pyton' on the path"),
    "no such relative program": ({"command": "./run {parameters}"}, "there is no program './run'"),
}


@pytest.mark.usefixtures("script")
@pytest.mark.parametrize(("changes", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_command_that_cannot_be_started_is_refused_before_anything_is_made(
    home: Home, changes: Mapping[str, Any], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write({**SWEEP, **changes})
    assert main(["sweep", "sweep.yaml"]) == 2
    assert says in capsys.readouterr().err
    assert not (home.root / "optuna.db").exists()


# ---- on the command line ----


@pytest.mark.usefixtures("script")
def test_check_tries_a_command_and_refuses_a_metric_that_it_does_not_log(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["space=lr=0.25,0.5", "direction=minimize", f"storage={home.storage}"]
    command = ["--", "python", "train.py", "lines", "{parameters}"]
    assert main(["check", "metric=val_loss", *words, *command]) == 0
    out = capsys.readouterr().out
    assert "sweep:          train (command python train.py lines {parameters})" in out
    assert "(one replicate, tried here: " in out
    assert main(["check", "metric=val_los", *words, *command]) == 2
    assert "metric 'val_los' was never logged; did you mean val_loss?" in capsys.readouterr().err
    assert main(["check", "metric=val_loss", *words, "--", "python", "train.py", "fails", "{parameters}"]) == 2
    assert "its process ended with exit status 1: RuntimeError: no such data" in capsys.readouterr().err
    assert (home.runs("sweep"), home.runs("trial"), (home.root / "optuna.db").exists()) == ([], [], False)


@pytest.mark.usefixtures("script")
def test_one_line_in_a_shell_is_a_sweep(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    keys = ["space=lr=0.25,0.5", "metric=val_loss", "direction=minimize", "replicates=2", f"storage={home.storage}"]
    own = ["execution.workers=1", "execution.report=false"]
    assert main(["sweep", *keys, *own, "--", "python", "train.py", "last_line", "{parameters}"]) == 0
    assert "Best conditions by mean val_loss (minimize)" in capsys.readouterr().out
    [sweep] = home.runs("sweep")
    assert (sweep.status, sweep.tags[tags.SWEEP]) == ("FINISHED", "train")


def test_the_command_after_the_dashes_keeps_its_own_options(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "metric=a", "direction=minimize", "--", "python", "no.py", "--help", "-h", "{seed}"]) == 2
    assert "there is no file 'no.py'" in capsys.readouterr().err
    assert home.runs("sweep") == []


def test_a_project_that_ends_its_own_run_as_failed_has_failed(home: Home) -> None:
    script = home.root / "frugal" / "ends.py"
    script.write_text(
        "import mlflow\nmlflow.start_run()\nmlflow.log_metric('val_loss', 1.0)\nmlflow.end_run('FAILED')\n"
    )
    run = home.one({"entry_point": "ends.py", "undeclared": ["lr", "seed"]})
    assert (run.status, run.tags[tags.REASON]) == ("FAILED", "it ended its own MLflow run as FAILED")
