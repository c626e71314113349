"""Links of the pages that are read in the repository, and what other programs read: citation, CI, pre-commit."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "llms.txt")),
    ROOT / "benchmarks" / "README.md",
    ROOT / "registry" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)\s]*)\)")


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower().replace("`", "")).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    dead = []
    for link in _LINK.findall(text):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def test_the_readme_is_short_and_its_picture_is_in_the_first_screen() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert any(line.startswith("![") for line in lines[:10])


def test_the_citation_has_the_version_and_what_its_format_asks_for() -> None:
    # https://github.com/citation-file-format/citation-file-format: the four required keys of version 1.2.0.
    found = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(found)
    assert (found["cff-version"], found["version"], found["license"]) == ("1.2.0", VERSION, "Apache-2.0")


def test_ci_runs_the_script_of_ci_on_both_systems_from_the_oldest_python_on() -> None:
    [job] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"].values()
    matrix = job["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos"}
    assert matrix["python"][0] == "3.11"
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert ".venv/bin/mkdocs build --strict" in (ROOT / ".ci" / "run").read_text()


def test_the_hook_checks_changed_sweep_files_and_nothing_else() -> None:
    [shipped] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    [own] = [hook for hook in local["hooks"] if hook["id"] == shipped["id"]]
    assert own["entry"] == shipped["entry"]
    taken = re.compile(shipped["files"])
    assert taken.search("sweeps/batch_size/staged.yaml")
    assert not taken.search("registry/batch_size.yaml")
    assert not taken.search("docs/sweeps/page.md")


@pytest.mark.parametrize(("name", "status"), [("good.yaml", 0), ("bad.yaml", 2)])
def test_the_command_of_the_hook_refuses_a_file_with_a_mistake(name: str, status: int, tmp_path: Path) -> None:
    text = (ROOT / "sweeps" / "quickstart.yaml").read_text(encoding="utf-8")
    path = tmp_path / name
    path.write_text(text if status == 0 else text.replace("sampler:", "smapler:"), encoding="utf-8")
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    command = [
        sys.executable,
        "-m",
        *hook["entry"].split(),
        str(ROOT / "sweeps" / "batch_size" / "staged.yaml"),
        str(path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert ("smapler" in done.stdout + done.stderr) == (status == 2)
