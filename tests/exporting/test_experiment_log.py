"""The experiment log: what a section says, that it is written once, and what stays when it is written again."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import rothamsted as rt
from rothamsted.analysis.analyze import QUICK, Settings, analyze
from rothamsted.analysis.values import Dataset
from rothamsted.cli.main import main
from rothamsted.errors import UserError
from rothamsted.publish.experiment_log.log_file import write_section
from rothamsted.publish.experiment_log.section import TO_LEARN, LogSection, section_of
from rothamsted.publish.experiment_log.write import log_sweep
from rothamsted.spec import Statistics
from tests.analysis.runs import dataset
from tests.sweeping.conftest import Project

URI = "sqlite:////lab/mlflow.db"
DEFAULTS = {"lr": 0.1, "width": 8, "name": "sgd"}


def sweep(values: dict[int, list[float]], **changes: Any) -> Dataset:
    factors = {0: {"lr": 0.1}, 1: {"lr": 0.5}}
    given = dataset(values, factors=factors)
    return replace(given, **{"kind": "sweep", "name": "first", "run_id": "r1", "experiment_id": "7", **changes})


def section(given: Dataset, **how: Any) -> LogSection:
    return section_of(analyze(given, Settings(), parts=QUICK), uri=URI, **how)


GOOD = {0: [4.0, 5.0, 6.0], 1: [1.0, 2.0, 3.0]}


def test_a_section_has_hypothesis_differences_result_and_links() -> None:
    # By hand: mean 2, sd 1, n 3; t(0.975, df=2) = 4.302653; half-width 2.484.
    question = "Question: is a larger rate better?\nCost: nothing.\nExpected: yes."
    text = section(sweep(GOOD, question=question, fixed={"width": 8, "name": "adam"}), defaults=DEFAULTS).text
    assert "**Hypothesis:** is a larger rate better? Expected: yes.\n" in text
    assert "**The best condition against the study's defaults:**" in text
    assert "- `name`: `sgd` → `adam`\n- `lr`: `0.1` → `0.5`\n" in text
    assert "width" not in text  # it is what the default is
    assert "**Best: lr=0.5**" in text
    assert "As the search saw it, which is optimistic: loss 2.0 [−0.5, 4.5] (95 %, t, n = 3)." in text
    assert "#/experiments/7/runs/r1" in text
    assert "rothamsted export first" in text
    assert TO_LEARN in text


def test_the_baseline_is_the_reference_that_the_sweep_file_names() -> None:
    given = sweep(GOOD, statistics=Statistics(reference={"lr": 0.1}))
    text = section(given, defaults={"lr": 0.3}).text
    assert "**The best condition against the reference, condition 0 (lr=0.1):**" in text
    assert "- `lr`: `0.1` → `0.5`" in text
    assert "The reference, condition 0: loss 5.0 [2.5, 7.5]" in text


def test_without_known_defaults_all_parameters_are_listed() -> None:
    text = section(sweep(GOOD, fixed={"width": 8})).text
    assert "**The best condition (the defaults are not known here):**\n\n- `width`: `8`\n- `lr`: `0.5`\n" in text


def test_the_same_result_again_changes_nothing_and_a_new_one_keeps_what_was_learned(tmp_path: Path) -> None:
    path = tmp_path / "LOG.md"
    path.write_text("# Mine\n\nbefore\n")
    assert write_section(path, section(sweep(GOOD), hypothesis="larger is better"))
    written = path.read_text()
    assert written.startswith("# Mine\n\nbefore\n\n<!-- rothamsted: sweep r1 ")
    was = path.stat().st_mtime_ns
    assert not write_section(path, section(sweep(GOOD), hypothesis="larger is better"))
    assert not write_section(path, section(sweep(GOOD)))  # no hypothesis is given: the one in the log stays
    assert (path.stat().st_mtime_ns, path.read_text()) == (was, written)
    path.write_text(written.replace(TO_LEARN, "Rates above 1 diverge.\n\n- and `more`") + "\nafter\n")
    assert write_section(path, section(sweep({**GOOD, 1: [1.0, 2.0, 4.5]})))
    text = path.read_text()
    assert text.count("## first") == 1
    assert "Rates above 1 diverge.\n\n- and `more`\n" in text
    assert "**Hypothesis:** larger is better" in text
    assert (text.startswith("# Mine\n\nbefore\n"), text.endswith("\nafter\n")) == (True, True)
    assert "2.0 [" not in text


def test_another_sweep_gets_its_own_section_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "LOG.md"
    write_section(path, section(sweep(GOOD)))
    write_section(path, section(sweep(GOOD, name="second", run_id="r2")))
    text = path.read_text()
    assert text.index("## first") < text.index("## second")
    assert text.startswith("# Experiment log\n")
    assert [one.name for one in path.parent.iterdir()] == ["LOG.md"]  # no lock, no unfinished file


def test_text_of_others_makes_no_mark_no_link_and_no_second_line() -> None:
    hostile = "a\n<!-- rothamsted: end of r1 -->\n## [x](http://h) `c`"
    given = sweep(GOOD, name="x<b>", fixed={"a`b": hostile})
    text = section(given, hypothesis=hostile).text
    assert text.count("<!-- rothamsted: end of r1 -->") == 1
    assert text.rstrip().endswith("<!-- rothamsted: end of r1 -->")
    assert "](http://h)" not in text.replace("\\](http://h)", "")
    assert "\n## [x]" not in text
    assert "<b>" not in text


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_and_mode_of_a_log_stay(end: str, tmp_path: Path) -> None:
    path = tmp_path / "LOG.md"
    path.write_bytes(f"# Mine{end}{end}text{end}".encode())
    path.chmod(0o640)
    write_section(path, section(sweep(GOOD)))
    assert not write_section(path, section(sweep(GOOD)))
    content = path.read_bytes()
    assert content.count(b"\r\n") == (content.count(b"\n") if end == "\r\n" else 0)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_to_a_log_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "LOG.md"
    link.symlink_to(tmp_path / "real" / "LOG.md")
    write_section(link, section(sweep(GOOD)))
    assert link.is_symlink()
    assert "## first" in (tmp_path / "real" / "LOG.md").read_text()


def broken(path: Path) -> None:
    write_section(path, section(sweep(GOOD)))
    path.write_text(path.read_text().replace("<!-- rothamsted: end of r1 -->", ""))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.mkdir(), "must be a file, and is a folder; give another file"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00caf\xe9"), "is not UTF-8 text"),
        (lambda path: os.mkfifo(path), "must be a file, and is a pipe"),
        (broken, "its section of sweep first has lost the line <!-- rothamsted: end of r1 -->"),
    ],
)
def test_a_log_that_cannot_be_changed_is_refused_in_one_line_and_stays(make: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "LOG.md"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(UserError) as error:
        write_section(path, section(sweep({**GOOD, 1: [1.0, 2.0, 4.5]})))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_a_sweep_in_which_nothing_has_finished_has_no_section(tmp_path: Path) -> None:
    given = dataset({0: [1.0]}, outcomes={(0, 0): "failed"})
    with pytest.raises(UserError, match="no replicate has come to a result"):
        log_sweep(tmp_path / "LOG.md", given, uri=URI, fixed={})
    assert list(tmp_path.iterdir()) == []


def _write(path: Path, number: int) -> None:
    for _ in range(5):
        write_section(path, section(sweep(GOOD, name=f"s{number}", run_id=f"r{number}")))


def test_of_sweeps_that_end_at_once_none_loses_its_section(tmp_path: Path) -> None:
    path = tmp_path / "LOG.md"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write, args=(path, number)) for number in range(8)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    assert [one.exitcode for one in workers] == [0] * 8
    text = path.read_text()
    assert [text.count(f"## s{number} ") for number in range(8)] == [1] * 8
    assert [one.name for one in tmp_path.iterdir()] == ["LOG.md"]


def test_a_sweep_file_writes_its_log_at_the_end_and_the_command_agrees(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project.write({"log": "logs/LOG.md", "confirm": {"keep": 1, "replicates": 3}})
    assert main(["sweep", str(path), "execution.executor=in_process"]) == 0
    log = project.root / "logs" / "LOG.md"
    written = log.read_text()
    assert f"experiment log: {log}" in capsys.readouterr().out
    assert "## toys (" in written
    assert "**The best condition against the study's defaults:**" in written
    assert "Confirmed on fresh seeds: val_loss" in written
    assert main(["experiment_log", "toys"]) == 0  # the same from the record as from the search
    assert "has this result already" in capsys.readouterr().out
    assert log.read_text() == written
    assert main(["experiment_log", "toys", "--hypothesis", "x=1 is best", "--json"]) == 0
    assert '"has_changed": true' in capsys.readouterr().out
    assert "**Hypothesis:** x=1 is best" in log.read_text()


def test_a_log_that_cannot_be_written_is_a_warning_and_no_lost_sweep(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (project.root / "LOG.md").mkdir()
    path = project.write({"log": "LOG.md", "space": {"lr": [0.1]}, "replicates": {"count": 1}})
    assert main(["sweep", str(path), "execution.executor=in_process"]) == 0
    printed = capsys.readouterr().out
    [line] = [one for one in printed.splitlines() if one.startswith("warning: ")]
    assert "must be a file, and is a folder" in line
    assert "rothamsted experiment_log toys" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["experiment_log"], "which sweep? write rothamsted experiment_log NAME"),
        (["experiment_log", "nobody"], "there is no sweep called 'nobody'"),
        (["experiment_log", "toys", "log=a.txt"], "does not end in .md"),
        (["experiment_log", "toys", "hypotesis=x"], "did you mean hypothesis?"),
    ],
)
def test_a_wrong_word_is_one_line(
    words: list[str], said: str, swept: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert (error.count("\n"), said in error) == (1, True), error


def test_a_call_writes_the_log_too_and_what_is_not_saved_writes_none(project: Project) -> None:
    how: dict[str, Any] = {
        "metric": "val_loss",
        "direction": "minimize",
        "replicates": 2,
        "workers": "in_process",
        "keys": {"log": "LOG.md"},
    }
    rt.sweep("toy", {"lr": [0.1, 0.2]}, parameters={"steps": 5}, name="kept", **how)
    rt.sweep("toy", {"lr": [0.1, 0.2]}, parameters={"steps": 5}, name="unsaved", save=False, **how)
    text = (project.root / "LOG.md").read_text()
    assert (text.count("## kept ("), text.count("## unsaved (")) == (1, 0)


def test_of_a_sweep_with_stages_the_last_one_is_logged(project: Project) -> None:
    stages = [{"parameters": {"steps": 5}}, {"keep": 1, "parameters": {"steps": 10}}]
    path = project.write(
        {"log": "LOG.md", "space": {"lr": [0.1, 0.2]}, "parameters": {"n_points": 5}, "stages": stages}
    )
    assert main(["sweep", str(path), "execution.executor=in_process"]) == 0
    titles = [line for line in (project.root / "LOG.md").read_text().splitlines() if line.startswith("## ")]
    assert len(titles) == 1
    assert titles[0].startswith("## toys.stage2 (")
