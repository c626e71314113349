"""Which models a sweep logs, and what is said of those that cannot be: the numbers stand in any case."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from rich.console import Console

from rothamsted import api, tags
from rothamsted.catalog import EXECUTORS
from rothamsted.errors import SpecError
from rothamsted.publish.console import models_text
from rothamsted.studies.source_code import MOST_BYTES, code_digest, study_code
from rothamsted.sweeping.open.from_file import load
from rothamsted.sweeping.opened import Opened
from rothamsted.tracking import FoundRun, find_run, find_runs, read_text
from tests.sweeping.conftest import Project, stop_in_replicate
from tests.sweeping.in_this_process import in_this_process, use
from tests.sweeping.line_project import SWEEP, add_line_study
from tests.sweeping.search_run import found_of

CONFIRM = {"confirm": {"keep": 1, "replicates": 2}}


@pytest.fixture
def lines(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with the study of lines, whose workers run in this process."""
    add_line_study(project)
    use(monkeypatch, in_this_process)
    return project


def run(lines: Project, **changes: Any) -> Opened:
    """A finished sweep of lines."""
    context = lines.start({**SWEEP, **changes})
    lines.work(context)
    return context


def told(lines: Project, **changes: Any) -> str:
    """What the terminal shows of a sweep of lines, from its start to its end."""
    path = lines.write({**SWEEP, **changes})
    sweep, study = load(path, {}, lines.root)
    screen = io.StringIO()
    console = Console(file=screen, width=200)
    result = api.run(sweep, study, lines.place, executor=EXECUTORS["local"](), console=console)
    assert result.exit_status == 0
    return screen.getvalue()


def replicates(lines: Project) -> list[FoundRun]:
    return [run for run in find_runs(None, {}, uri=lines.tracking_uri) if tags.REPLICATE in run.tags]


def with_models(lines: Project) -> list[tuple[str, str]]:
    """(phase, trial) of every replicate with a model."""
    found = [run for run in replicates(lines) if tags.MODEL in run.tags]
    return sorted((run.tags[tags.PHASE], run.tags[tags.TRIAL]) for run in found)


def test_confirmed_replicates_have_models_and_those_of_the_search_have_none(lines: Project) -> None:
    run(lines, **CONFIRM)
    assert with_models(lines) == [("confirm", "1")] * 2  # lr 0.2 learns faster than 0.05 in three steps


def test_a_sweep_without_a_confirmation_logs_no_model_unless_asked(lines: Project) -> None:
    run(lines)
    assert with_models(lines) == []


def test_models_none_logs_none_of_the_confirmed_either(lines: Project) -> None:
    run(lines, models="none", **CONFIRM)
    assert with_models(lines) == []


def test_models_all_logs_one_a_replicate(lines: Project) -> None:
    run(lines, models="all", **CONFIRM)
    assert with_models(lines) == [("confirm", "1")] * 2 + [("search", "0")] * 2 + [("search", "1")] * 2


def test_models_best_logs_each_condition_that_is_the_best_when_it_ends(lines: Project) -> None:
    # After three steps from zero the loss falls with lr, up to 0.5 at least: trials 0, 2 and 4 are records.
    run(lines, models="best", space={"lr": [0.1, 0.05, 0.2, 0.15, 0.4]})
    assert with_models(lines) == [("search", number) for number in ("0", "0", "2", "2", "4", "4")]


def test_models_best_counts_what_other_workers_have_told(lines: Project) -> None:
    context = lines.start({**SWEEP, "models": "best", "space": {"lr": [0.4, 0.05, 0.2]}})
    lines.work(context, stop_in_replicate(3, 1))  # after trial 0
    lines.work(lines.start({**SWEEP, "models": "best", "space": {"lr": [0.4, 0.05, 0.2]}}))
    assert with_models(lines) == [("search", "0")] * 2


def test_models_best_of_a_race_are_those_of_the_rounds_in_which_a_condition_was_the_best(lines: Project) -> None:
    # lr 0.4 beats 0.01 from the first round on; a race that drops a condition ends there for it.
    replicates = {"racing": {"min": 3, "max": 4}}
    run(lines, models="best", space={"lr": [0.4, 0.01]}, replicates=replicates, parameters={"steps": 9})
    found = with_models(lines)
    assert set(found) == {("search", "0")}
    assert len(found) in (3, 4)  # as many as the race gave it


def test_models_of_the_confirmed_without_a_confirmation_are_refused(lines: Project) -> None:
    with pytest.raises(SpecError, match=r"models: confirmed, but nothing is: there is no confirm; add confirm"):
        lines.start({**SWEEP, "models": "confirmed"})


@pytest.mark.parametrize("models", ["none", "best", "all", "confirmed"])
def test_models_can_be_said_on_the_command_line(lines: Project, models: str) -> None:
    sweep, _ = load(lines.write({**SWEEP, **CONFIRM}), {"models": models}, lines.root)
    assert sweep.models == models


def test_a_sweep_can_go_on_with_other_models(lines: Project) -> None:
    lines.start({**SWEEP, **CONFIRM})
    assert lines.start({**SWEEP, **CONFIRM, "models": "all"}).sweep.models == "all"


def test_a_run_with_a_model_names_it_its_code_its_size_and_its_speed(lines: Project) -> None:
    run(lines, models="all", space={"lr": [0.2]}, replicates={"count": 1})
    [found] = replicates(lines)
    model = MlflowClient(lines.tracking_uri).get_logged_model(found.tags[tags.MODEL].removeprefix("models:/"))
    assert (model.source_run_id, model.status) == (found.run_id, "READY")
    assert model.params == {"lr": "0.2", "seed": "0"}
    assert found.tags[tags.CODE_DIGEST] == model.tags[tags.CODE_DIGEST] == code_digest("line", lines.root)
    assert found.metrics["parameters"] == 4  # three weights and a bias
    assert 0 < found.metrics["predict_ms"] < 1000


def test_what_the_engine_measures_of_a_model_is_no_metric_of_the_condition(lines: Project) -> None:
    run(lines, **CONFIRM)
    [condition] = find_runs(None, {tags.PHASE: "confirm", tags.ROLE: "confirmation"}, uri=lines.tracking_uri)
    assert "loss/mean" in condition.metrics
    assert not [key for key in condition.metrics if key.startswith(("parameters", "predict_ms"))]


def test_a_model_predicts_what_its_replicate_was_scored_by(lines: Project) -> None:
    # Authority: the loss that the study logged, 0.5 times the mean squared error on its own data.
    config = importlib.import_module("projects.line.config").Config
    data = importlib.import_module("projects.line.train").data

    run(lines, models="all", space={"lr": [0.2]}, replicates={"count": 1})
    [found] = replicates(lines)
    x, y = data(config(seed=0))
    errors = mlflow.pyfunc.load_model(found.tags[tags.MODEL]).predict(x) - y
    assert 0.5 * (errors**2).mean() == pytest.approx(found.metrics["objective"], rel=1e-6)


# ---- what cannot be logged ----


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("raises", "predict raised ValueError: no such feature on the input example"),
        ("infinite", "predict's output is not finite on the input example"),
        ("bare", "the study's model has no parameters, input_example, pip_requirements"),
        ("in_main", "refers to projects.line.__main__.InMain, which is not imported where the model is loaded"),
        ("lambda", "cannot be pickled: "),
    ],
)
def test_a_model_that_cannot_be_logged_costs_a_replicate_nothing_but_its_model(
    lines: Project, kind: str, reason: str
) -> None:
    run(lines, parameters={"steps": 3, "model": kind}, models="all", space={"lr": [0.2]}, replicates={"count": 1})
    [found] = replicates(lines)
    assert (found.status, found.tags[tags.OUTCOME]) == ("FINISHED", "finished")
    assert found.metrics["objective"] == found.metrics["loss"]
    assert reason in found.tags[tags.MODEL_PROBLEM]
    assert tags.MODEL not in found.tags


def test_the_end_of_a_sweep_counts_the_models_that_could_not_be_logged(lines: Project) -> None:
    output = told(lines, parameters={"steps": 3, "model": "raises"}, models="all")
    reason = "predict raised ValueError: no such feature on the input example"
    assert f"trial 0 replicate 0 has no model: {reason}\n" in output
    assert output.count(reason) == 2  # the first time, and at the end
    assert f"\nmodels: 4 not: {reason}\n" in output


def test_the_end_of_a_sweep_counts_the_models_that_were_logged(lines: Project) -> None:
    assert "\nmodels: 2 logged\n" in told(lines, **CONFIRM)


@pytest.mark.parametrize("models", ["all", "best", "confirmed"])
def test_a_study_without_models_is_told_so_where_models_were_asked_for(lines: Project, models: str) -> None:
    output = told(lines, parameters={"steps": 3, "model": "none"}, models=models, **CONFIRM)
    assert "not: the study returns no trained model; let train return one a member, or give models: none" in output


def test_a_study_without_models_is_no_mistake_where_nobody_asked(lines: Project) -> None:
    output = told(lines, parameters={"steps": 3, "model": "none"}, **CONFIRM)
    assert "has no model" not in output
    assert "models:" not in output
    assert not any(tags.MODEL_PROBLEM in run.tags for run in replicates(lines))


def test_a_store_that_refuses_a_model_costs_the_model_alone(lines: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MlflowClient, "log_model_artifacts", full)
    context = run(lines, models="all", space={"lr": [0.2]}, replicates={"count": 1})
    assert models_text(found_of(context)).startswith("models: 1 not: OSError: [Errno 28] No space left")
    assert [found.status for found in replicates(lines)] == ["FINISHED"]


def test_what_became_of_a_model_is_known_when_another_worker_ends_its_condition(lines: Project) -> None:
    context = lines.start({**SWEEP, "models": "all"})
    lines.work(context, stop_in_replicate(2, 1))  # in the second replicate of trial 0
    again = lines.start({**SWEEP, "models": "all"})
    lines.work(again)
    assert models_text(found_of(again)) == "models: 4 logged"
    assert len(MlflowClient(lines.tracking_uri).search_logged_models(["0"])) == 4


# ---- the study's code ----


def sweep_digest(lines: Project, context: Opened) -> str:
    found = find_run(context.sweep_run_id, uri=lines.tracking_uri)
    assert found is not None
    origin = read_text(found.run_id, f"sweep/{tags.ORIGIN_FILE}", uri=lines.tracking_uri)
    return json.loads(origin or "{}")[tags.CODE_DIGEST]


def test_a_sweep_names_the_code_of_its_study(lines: Project) -> None:
    context = lines.start(SWEEP)
    assert sweep_digest(lines, context) == code_digest("line", lines.root)


def test_a_sweep_that_goes_on_with_other_code_names_both(lines: Project) -> None:
    before = code_digest("line", lines.root)
    lines.start(SWEEP)
    source = lines.root / "projects" / "line" / "line.py"
    source.write_text(source.read_text() + "\n# changed\n")
    context = lines.start(SWEEP)
    assert sweep_digest(lines, context) == f"{before}+{code_digest('line', lines.root)}"
    assert before != code_digest("line", lines.root)


def test_the_digest_of_code_looks_at_names_and_contents_and_passes_over_caches(lines: Project) -> None:
    folder, before = lines.root / "projects" / "line", code_digest("line", lines.root)
    for by_product in ("__pycache__/a.py", ".hidden", "old.pyc"):
        (folder / by_product).parent.mkdir(exist_ok=True)
        (folder / by_product).write_text("x")
    assert code_digest("line", lines.root) == before
    (folder / "net.py").rename(folder / "network.py")
    assert code_digest("line", lines.root) != before


def test_the_digest_of_code_is_that_of_sha256sum(lines: Project) -> None:
    # Authority: coreutils, asked for the sums of all files and then for the sum of that list.
    files = [
        "projects/__init__.py",
        *sorted(f"projects/line/{p.name}" for p in (lines.root / "projects/line").iterdir()),
    ]
    files = [name for name in files if name.endswith(".py")]
    sums = subprocess.run(["sha256sum", *files], cwd=lines.root, capture_output=True, check=True).stdout
    digest = subprocess.run(["sha256sum"], input=sums, capture_output=True, check=True).stdout.split()[0].decode()
    assert code_digest("line", lines.root) == digest


def test_the_digest_of_a_read_study_is_that_of_its_files(lines: Project) -> None:
    code = study_code("line", lines.root)
    assert code.digest == code_digest("line", lines.root)
    assert Path("projects/line/line.py") in code.files
    assert Path("projects/toy/__init__.py") not in code.files


def test_code_that_is_edited_while_a_worker_runs_changes_no_model(lines: Project) -> None:
    digest = code_digest("line", lines.root)
    source = lines.root / "projects" / "line" / "line.py"
    context = lines.start({**SWEEP, "models": "all", "space": {"lr": [0.2]}})

    def edit(events: list[dict[str, Any]]) -> bool:
        source.write_text("raise RuntimeError('half-written')\n")
        return False

    lines.work(context, edit)
    assert {found.tags[tags.CODE_DIGEST] for found in replicates(lines) if tags.MODEL in found.tags} == {digest}


def test_a_study_with_data_among_its_code_has_no_models_and_is_told_why(lines: Project) -> None:
    (lines.root / "projects" / "line" / "rows.bin").write_bytes(bytes(MOST_BYTES))
    context = run(lines, models="all", space={"lr": [0.2]}, replicates={"count": 1})
    text = models_text(found_of(context))
    assert "line holds 20 MB, more than the 20 MB of source code that a model carries; keep data" in text
