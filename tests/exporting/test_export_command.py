"""The command export: its folders, its parts, what it refuses in one line; and the pages that are made from it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.cli.main import main
from rothamsted.errors import UserError
from rothamsted.publish.exported.folder import write_folder
from rothamsted.publish.exported.references import references
from rothamsted.publish.exported.references_page import page
from tests.analysis.runs import dataset, log_run
from tests.conftest import ROOT
from tests.sweeping.conftest import Project


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_one_command_writes_every_part_and_the_folder_says_what_it_holds(exported: Path) -> None:
    found = files(exported)
    assert {
        *("aggregated_results.json", "optuna.db", "export.json"),
        *(
            f"tables/{name}.{kind}"
            for name in ("measurements", "conditions", "replicates", "results")
            for kind in ("csv", "parquet")
        ),
        *("paper/results.tex", "paper/results.md", "paper/methods.tex", "paper/methods.md"),
        *("paper/references.bib", "paper/checklist.md", "figures/toys-forest.pdf", "figures/captions.txt"),
    } <= found
    manifest = json.loads((exported / "export.json").read_text())
    assert (manifest["name"], manifest["is_complete"]) == ("toys", True)
    listed = {one["path"] for one in manifest["parts"] if "path" in one}
    assert listed == {path for path in found if not path.startswith("individual_results/")} - {"export.json"}
    assert any("no factor is marked as task" in one.get("left_out", "") for one in manifest["parts"])
    assert (exported / "figures" / "toys-forest.pdf").read_bytes()[:5] == b"%PDF-"


def test_parts_alone_are_written_alone_and_earlier_parts_stay_listed(
    swept: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    out = swept.root / "some"
    assert main(["export", "toys", "folder=some", "only=tables", "-q"]) == 0
    assert {path.split("/")[0] for path in files(out)} == {"tables", "export.json"}
    capsys.readouterr()
    assert main(["export", "toys", "folder=some", "only=study", "--json", "-q"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["files"] == [str(out / "optuna.db")]
    parts = [one["part"] for one in json.loads((out / "export.json").read_text())["parts"]]
    assert parts == ["tables"] * 8 + ["study"]


def test_by_default_each_sweep_has_a_folder_of_its_name(swept: Project) -> None:
    assert main(["export", "toys", "only=study", "-q"]) == 0
    assert files(swept.root / "export") == {"toys/optuna.db", "toys/export.json"}


def test_two_names_that_a_file_system_takes_for_one_have_two_folders(project: Project) -> None:
    for name in ("runs a", "runs?a"):
        for seed in (0, 1):
            log_run(project.tracking_uri, {"lr": 0.1, "seed": seed}, [0.5 + seed], experiment=name)
    keys = ["group_by=lr", "replicate_by=seed", "metric=loss", "only=tables", "-q"]
    assert main(["export", "experiment=runs a", *keys]) == 0
    assert main(["export", "experiment=runs?a", *keys]) == 2  # its folder holds the other's
    assert main(["export", "experiment=runs?a", *keys, "folder=other"]) == 0
    assert "tables/measurements.csv" in files(project.root / "other")


def test_runs_of_no_sweep_are_exported_without_a_study(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for lr in (0.1, 0.2):
        for seed in range(3):
            log_run(project.tracking_uri, {"lr": lr, "seed": seed}, [1.0, lr + 0.01 * seed])
    keys = ["experiment=strangers", "group_by=lr", "replicate_by=seed", "metric=loss", "folder=out"]
    assert main(["export", *keys, "only=tables,study,paper"]) == 0
    assert "no study: these runs have no search in Optuna" in capsys.readouterr().out
    checklist = (project.root / "out" / "paper" / "checklist.md").read_text()
    assert "- **Which machines?** Not recorded." in checklist
    assert "1\u202fmin of wall-clock time, the sum over all runs" in checklist  # 6 runs of 10 s, see log_run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "there is no sweep called 'nobody'"),
        (["toys", "only=paper,tabels"], "only=tabels: did you mean tables?"),
        (["toys", "folder=sweep.yaml"], "sweep.yaml is a file, and must be a folder; name another folder"),
        (["toys", "folder=sweep.yaml/below"], "sweep.yaml is a file, and must be a folder; name another folder"),
        (["toys", "toys2"], "there is no sweep called 'toys2'"),
        ([], "which runs? give sweep=NAME"),
    ],
)
def test_what_cannot_be_exported_is_one_line_and_leaves_nothing(
    words: list[str], said: str, swept: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    (swept.root / "sweep.yaml").write_text("")
    assert main(["export", *words]) == 2
    error = capsys.readouterr().err
    assert (error.count("\n"), said in error) == (1, True), error
    assert not (swept.root / "export").exists()


def test_a_folder_of_another_sweep_is_refused_and_stays(tmp_path: Path) -> None:
    first = analyze(replace(dataset({0: [1.0, 2.0], 1: [2.0, 3.0]}), name="first"))
    second = replace(first, dataset=replace(first.dataset, name="second"))
    write_folder(first, tmp_path, only=["tables"])
    before = (tmp_path / "tables" / "results.csv").read_text()
    with pytest.raises(UserError, match="holds the export of first, whose files would be mixed"):
        write_folder(second, tmp_path, only=["tables"])
    assert (tmp_path / "tables" / "results.csv").read_text() == before
    (tmp_path / "export.json").write_text("[1, 2]")  # somebody else's file
    with pytest.raises(UserError, match="holds the export of something else"):
        write_folder(first, tmp_path, only=["tables"])


def test_nothing_that_has_come_to_a_result_is_nothing_to_export(tmp_path: Path) -> None:
    failed = dataset({0: [1.0], 1: [2.0]}, outcomes={(0, 0): "failed", (1, 0): "interrupted"})
    with pytest.raises(UserError, match="no replicate has come to a result"):
        write_folder(analyze(failed), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "/etc/x", "a/b", "..", "a\\b", "x" * 300])
def test_nothing_leaves_the_folder_whatever_a_sweep_is_called(name: str, tmp_path: Path) -> None:
    given = replace(dataset({0: [1.0, 2.0], 1: [2.0, 3.0]}), name=name)
    for one in write_folder(analyze(given), tmp_path / "out", only=["tables", "paper"]):
        assert one.path is not None
        assert one.path.resolve().is_relative_to((tmp_path / "out").resolve())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_every_file_that_the_page_names_is_in_an_export(exported: Path) -> None:
    table = (ROOT / "docs" / "export.md").read_text(encoding="utf-8").partition("| part |")[2].partition("\n\n")[0]
    named = [name for name in re.findall(r"`([\w./]+\.[a-z]+)`", table) if not name.startswith(".")]
    assert len(named) > 8
    found = {path.name for path in exported.rglob("*")}
    assert {Path(name).name for name in named} - found == set()


def test_the_page_of_sources_is_made_from_what_exports_cite() -> None:
    assert (ROOT / "docs" / "references.md").read_text(encoding="utf-8") == page()


def test_every_source_that_statistics_md_names_is_in_the_file_of_sources() -> None:
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    names = re.findall(
        r"([A-ZŠ][a-zš]+)(?:(?:,| &| and)? [A-Z][A-Za-z]+)*(?: et al\.| and others)?,? \(?((?:19|20)\d\d)\)?", text
    )
    known: dict[str, str] = {}
    for one in references().values():
        known[one.fields["year"]] = f"{known.get(one.fields['year'], '')} {one.names}"
    assert len(names) > 20
    for name, year in names:
        assert name in known.get(year, ""), (name, year)
