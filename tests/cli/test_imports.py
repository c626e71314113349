"""What a command imports: a mistake, and help, are told before anything heavy is imported.

Counted modules, not time: the same on every machine and under every load.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from rothamsted.cli.usage import USAGES
from rothamsted.records import MetricPoint
from rothamsted.search.storage import create_study
from rothamsted.tracking import open_recorder

ROOT = Path(__file__).parents[2]
QUICKSTART = (ROOT / "sweeps" / "quickstart.yaml").read_text(encoding="utf-8")
HEAVY = frozenset({"mlflow", "optuna", "torch", "jax", "sklearn", "pandas", "scipy", "matplotlib", "statsmodels"})
PROGRAM = """
import contextlib, io, json, sys
from rothamsted.cli.main import main
for words in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.redirect_stderr(text):
        try:
            status = main(words)
        except SystemExit as error:
            status = error.code
    print(json.dumps([status, sorted(set(name.partition(".")[0] for name in sys.modules)), text.getvalue()]))
"""

LIGHT = frozenset({"numpy", "sqlalchemy"})  # a third of a second together
# what -> how the quickstart's file is changed
FILES = {
    "a wrong key": lambda text: f"{text}trails: 5\n",
    "no YAML": lambda text: f"{text}x: [1\n",
    "an unknown sampler": lambda text: text.replace("name: grid", "name: gird"),
    "an unknown pruner": lambda text: f"{text}pruner: {{name: ashaa}}\n",
    "an unknown executor": lambda text: text.replace("executor: local", "executor: locl"),
    "an unknown interval": lambda text: text.replace("interval: t", "interval: tt"),
    "an unknown study": lambda text: text.replace("study: batch_size", "study: batch_sise"),
    "an unknown parameter": lambda text: text.replace("optimizer.lr:", "optimizer.lrr:"),
    "a fixed value that is none": lambda text: text.replace("depth: 3", "depth: many"),
    "a range upside down": lambda text: text.replace("low: 3.0e-2", "low: 30.0"),
    "a policy that is not there": lambda text: f"{text}promote: registry/nothing.yaml\nmodels: confirmed\n",
    "a number out of bounds": lambda text: text.replace("count: 3", "count: 0"),
}
WORDS = {
    "a misspelt command": ["sweeep"],
    "a missing file": ["sweep", "nothing.yaml"],
    "a missing file to check": ["check", "nothing.yaml"],
    "a wrong key on the command line": ["sweep", "sweeps/quickstart.yaml", "trails=5"],
    "a worker without a name": ["worker"],
    "a wrong key of a worker": ["worker", "nmae=a"],
    "a wrong key of a report": ["report", "a", "plto=forest"],
    "an unknown sweep": ["report", "nothing"],
    "an unknown sweep to analyze": ["analyze", "nothing"],
    "an unknown plot": ["report", "a", "plots=foest"],
    "an unknown format": ["report", "a", "format=pgn"],
    "a level that is none": ["analyze", "a", "level=2"],
    "an unknown run to compare": ["compare", "a", "b"],
    "a difference that is no number": ["power", "a", "difference=x"],
    "an unknown sweep to promote": ["promote", "nothing"],
    "an unknown sweep to export": ["export", "nothing"],
    "an unknown sweep to measure": ["power", "nothing", "difference=1"],
    "an unknown sweep to look at": ["status", "nothing"],
    "an unknown sweep to open": ["open", "nothing"],
    "an unknown sweep to delete": ["delete", "nothing"],
    "an unknown sweep to look over": ["doctor", "nothing"],
    "an unknown sweep to prune": ["prune", "nothing"],
    "a state that is none": ["list", "state=runing"],
    "an unknown model": ["registry", "nothing"],
    "an unknown model to roll back": ["rollback", "nothing"],
    "a source that is not there": ["import_runs", "nothing"],
    "a source with nothing in it": ["import_runs", "registry"],
    "an unknown kind of source": ["import_runs", "README.md", "kind=nothing"],
    "an option of another source": ["import_runs", "docs", "study=a", "kind=folder"],
    "an unknown data set": ["prepare_data", "nothing"],
    "an unknown field of a study": ["batch_size", "optimizer.lrr=1"],
    "a search in another database": ["sweep", "sweeps/quickstart.yaml", "storage=mysql://lab@db/search"],
    "a search in a folder that is not there": ["sweep", "sweeps/quickstart.yaml", "storage=sqlite:////no/such/a.db"],
    "a project that is not there": ["check", "sweeps/quickstart.yaml", "study=", "project=/no/such"],
    "a project that git takes for an option": ["check", "sweeps/quickstart.yaml", "study=", "project=-oProxy"],
    "a folder for checkpoints that cannot be made": ["sweep", "execution.checkpoint_dir=/proc/none/here"],
}
NO_STORE = (
    "a wrong key of a report",
    "an unknown plot",
    "an unknown format",
    "a level that is none",
    "a difference that is no number",
    "a state that is none",
)
NAMES = (
    "an unknown sweep",
    "an unknown sweep to analyze",
    "an unknown run to compare",
    "an unknown sweep to promote",
    "an unknown sweep to export",
    "an unknown sweep to measure",
    "an unknown sweep to look at",
    "an unknown sweep to open",
    "an unknown sweep to delete",
    "an unknown sweep to look over",
    "an unknown sweep to prune",
    "an unknown model",
    "an unknown model to roll back",
)


@pytest.fixture(scope="module")
def tracking_uri(new_mlflow: object, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with MLflow's tables and no runs."""
    return new_mlflow(tmp_path_factory.mktemp("imports"))  # type: ignore[operator]


class Told(NamedTuple):
    """What a command came to."""

    status: int
    packages: set[str]  # imported by it, and by those before it in its process
    text: str  # what a person reads


def told(lines: Sequence[Sequence[str]], uri: str | None, folder: Path = ROOT) -> list[Told]:
    """The commands, one after another in one new process: what none of them imports is not there at the end."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
    environment |= {} if uri is None else {"MLFLOW_TRACKING_URI": uri}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env=environment,
        input=json.dumps(lines),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [Told(status, set(packages), text) for status, packages, text in found]


def told_one(words: Sequence[str], uri: str | None) -> Told:
    """A command in a process of its own."""
    [found] = told([words], uri)
    return found


@pytest.fixture(scope="module")
def of_files(tracking_uri: str, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Told]:
    """What is told of each sweep file, by each command that reads one."""
    folder = tmp_path_factory.mktemp("files")
    for what, changed in FILES.items():
        (folder / f"{what}.yaml").write_text(changed(QUICKSTART), encoding="utf-8")
    cases = [(what, command) for what in FILES for command in ("sweep", "check")]
    lines = [[command, str(folder / f"{what}.yaml")] for what, command in cases]
    return dict(zip(cases, told(lines, tracking_uri), strict=True))


@pytest.fixture(scope="module")
def of_words(tracking_uri: str) -> dict[str, Told]:
    """What is told of each command line."""
    return dict(zip(WORDS, told(list(WORDS.values()), tracking_uri), strict=True))


@pytest.fixture(scope="module")
def of_early_words(tracking_uri: str) -> dict[str, Told]:
    """What is told of the command lines for which not even NumPy and SQLAlchemy are needed."""
    early = (*NAMES, *NO_STORE)
    return dict(zip(early, told([WORDS[what] for what in early], tracking_uri), strict=True))


@pytest.mark.parametrize("what", FILES)
def test_a_mistake_in_a_sweep_file_is_told_without_heavy_imports(
    what: str, of_files: dict[tuple[str, str], Told]
) -> None:
    assert FILES[what](QUICKSTART) != QUICKSTART
    for command in ("sweep", "check"):
        status, packages, text = of_files[what, command]
        assert (status, packages & HEAVY) == (2, set()), text


@pytest.mark.parametrize("what", WORDS)
def test_a_mistake_on_the_command_line_is_told_without_heavy_imports(what: str, of_words: dict[str, Told]) -> None:
    status, packages, text = of_words[what]
    assert (status, packages & HEAVY) == (2, set()), text


@pytest.mark.parametrize("what", NAMES)
def test_a_name_that_is_not_there_is_told_without_numpy_and_sqlalchemy(
    what: str, of_early_words: dict[str, Told]
) -> None:
    status, packages, text = of_early_words[what]
    assert (status, packages & (HEAVY | LIGHT)) == (2, set()), text


def test_a_worker_for_an_unknown_sweep_is_told_without_numpy_and_sqlalchemy(tmp_path: Path) -> None:
    create_study(f"sqlite:///{tmp_path}/optuna.db", "there", ["minimize"], attributes={})
    status, packages, text = told_one(["worker", "nothing"], f"sqlite:///{tmp_path}/mlflow.db")
    assert (status, packages & (HEAVY | LIGHT)) == (2, set()), text
    assert "no sweep called 'nothing' here; start it with mlflow run . -e sweep" in text


def test_a_metric_that_nothing_has_logged_is_told_without_numpy_and_sqlalchemy(
    new_mlflow: object, tmp_path: Path
) -> None:
    tracking_uri = new_mlflow(tmp_path)  # type: ignore[operator]
    with open_recorder(tracking_uri) as recorder:
        for name, role, metrics in (("s", "sweep", []), ("r", "replicate", ["loss", "epoch"]), ("t", "trial", ["own"])):
            tags = {"rothamsted.role": role, "rothamsted.sweep": "swept"}
            run_id = recorder.open_run(experiment_id="0", name=name, tags=tags, params={}, start_ms=1)
            recorder.replace_metrics(run_id, [MetricPoint(metric, 1.0, 1, 0) for metric in metrics])
    lines = [["report", "swept", "metric=lss"], ["analyze", "swept", "metrics=loss,own,lss"]]
    for status, packages, text in told(lines, tracking_uri):
        assert (status, packages & (HEAVY | LIGHT)) == (2, set()), text
        assert "sweep swept: no replicate has the metric 'lss'; logged: loss" in text


@pytest.mark.parametrize("what", NO_STORE)
def test_a_mistake_that_needs_no_store_is_told_without_numpy_and_sqlalchemy(
    what: str, of_early_words: dict[str, Told]
) -> None:
    status, packages, text = of_early_words[what]
    assert (status, packages & (HEAVY | LIGHT)) == (2, set()), text


def test_an_unknown_name_is_told_without_mlflow_beside_the_files_of_runs(new_mlflow: object, tmp_path: Path) -> None:
    new_mlflow(tmp_path)  # type: ignore[operator]
    (tmp_path / "mlruns" / "0" / "0af1").mkdir(parents=True)  # as the first run of this store leaves it
    lines = [[command, "nothing"] for command in ("report", "analyze", "promote", "registry", "delete")]
    for status, packages, text in told(lines, None, folder=tmp_path):
        assert (status, packages & (HEAVY - {"optuna"})) == (2, set()), text


def test_help_is_told_without_heavy_imports(tracking_uri: str) -> None:
    for _, packages, text in told([[], ["--help"], *([command, "--help"] for command in USAGES)], tracking_uri):
        assert packages & HEAVY == set(), text


WORKER = """
import sys
from importlib import import_module
import_module("rothamsted.sweeping.worker.entry")
before = {name.partition(".")[0] for name in sys.modules}
study = import_module(f"projects.{sys.argv[1]}.__main__").STUDY
training = study.train([study.config()])
next(training)
training.close()
print(*sorted(before))
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize(("study", "own", "others"), [("batch_size", "jax", "torch"), ("emnist_mlp", "torch", "jax")])
def test_a_worker_imports_what_its_study_needs_alone(study: str, own: str, others: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKER, study], cwd=ROOT, capture_output=True, text=True, check=True, timeout=300
    )
    engine, trained = (set(line.split()) for line in done.stdout.splitlines()[-2:])
    assert engine & {"mlflow", "torch", "jax", "sklearn", "pandas", "matplotlib", "scipy"} == set()
    assert own in trained
    assert trained & {"mlflow", others} == set()


def test_what_starts_a_sweep_is_imported_without_mlflow() -> None:
    words = "import sys, rothamsted.sweeping.open.start; print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
