"""What is installed, and that the files which name versions agree."""

from __future__ import annotations

import ast
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

DOCUMENT = tomllib.loads((ROOT / "pyproject.toml").read_text())
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")["page"]
EXTRAS: dict[str, list[str]] = DOCUMENT["project"]["optional-dependencies"]


def requirements(texts: list[str]) -> dict[str, Requirement]:
    found = [Requirement(text) for text in texts if not text.startswith("rothamsted")]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def pinned(texts: list[str]) -> dict[str, str]:
    pins = [text.split("==") for text in texts]
    return {canonicalize_name(name): version for name, version in pins}


def constraints() -> dict[str, str]:
    lines = [line.strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    return pinned([line for line in lines if line and not line.startswith("#")])


def conda_pins() -> dict[str, str]:
    document = yaml.safe_load((ROOT / "conda.yaml").read_text())
    [pip] = [entry["pip"] for entry in document["dependencies"] if isinstance(entry, dict)]
    return pinned([text for text in pip if text != "."])


OF_ENGINE = requirements(DOCUMENT["project"]["dependencies"])
OF_STUDIES, OF_TESTS, OF_DOCS = (requirements(EXTRAS[name]) for name in ("studies", "test", "docs"))
ALL = {**OF_ENGINE, **OF_STUDIES, **OF_TESTS, **OF_DOCS}
DRIVERS = {"psycopg-binary"}  # what psycopg[binary] is


def test_constraints_pin_the_engine_the_studies_the_tests_and_the_site_and_nothing_else() -> None:
    assert set(constraints()) == set(ALL) | DRIVERS


def test_conda_pins_the_engine_and_the_studies_as_the_constraints_do() -> None:
    expected = {name: constraints()[name] for name in (*OF_ENGINE, *OF_STUDIES)}
    assert conda_pins() == expected


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_pin_lies_in_the_range_that_the_project_asks_for(name: str) -> None:
    assert ALL[name].specifier.contains(constraints()[name])


@pytest.mark.parametrize("name", sorted({**OF_ENGINE, **OF_STUDIES}))
def test_metadata_gives_ranges_and_no_exact_version(name: str) -> None:
    specifier = {**OF_ENGINE, **OF_STUDIES}[name].specifier
    assert len(list(specifier)) >= 1
    assert not any(one.operator == "==" and "*" not in one.version for one in specifier)


@pytest.mark.parametrize("version", ["2.12.9", "2.13.1", "2.14.0", "2.15.0"])
def test_no_torch_but_the_one_without_cuda_packages_is_in_the_range(version: str) -> None:
    # On the machine of the proof 2.13.0 has no CUDA packages, and all that are newer bring them.
    assert not OF_STUDIES["torch"].specifier.contains(version)
    assert constraints()["torch"] == "2.13.0"


def test_the_tests_install_the_studies_and_what_builds_the_site() -> None:
    assert {"rothamsted[studies]", "rothamsted[docs]"} <= set(EXTRAS["test"])


@pytest.mark.parametrize("command", ["-e '.[studies]' -c constraints.txt", "-e '.[test]' -c constraints.txt"])
def test_the_commands_of_the_readme_install_exact_versions(command: str) -> None:
    assert (ROOT / "README.md").read_text().count(f"python3 -m venv .venv && .venv/bin/pip install -q {command}") == 1


def test_what_ci_runs_is_the_second_command_of_the_readme_word_for_word() -> None:
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text().splitlines()


# Import name -> distribution, where they differ.
NAMES = {
    "PIL": "pillow",
    "git": "gitpython",
    "hydra": "hydra-core",
    "pydantic_core": "pydantic",  # its own other half, of one version with it
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "optuna_dashboard": "optuna-dashboard",
    "cmaes": "cmaes",
}
# What is used without an import: an option of Optuna's, programs.
WITHOUT_IMPORT = {"cmaes", "plotly", "optuna-dashboard", "uv"}
# tensorboard and wandb are extras, and whoever asks is told what to install; torch is there where a user's model is.
OPTIONAL = {"ray", "tensorboard", "torch", "wandb"}


def imported(folder: Path) -> set[str]:
    """The distributions that the files below a folder import, wherever in a file."""
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
    others = found - set(sys.stdlib_module_names) - {"rothamsted", "projects", "__future__"}
    return {canonicalize_name(NAMES.get(name, name)) for name in others}


def test_the_engine_imports_what_it_asks_for_and_asks_for_what_it_uses() -> None:
    used = imported(ROOT / "plugins")
    assert used - OPTIONAL <= set(OF_ENGINE)
    assert set(OF_ENGINE) - used <= WITHOUT_IMPORT


def test_the_studies_import_what_the_engine_or_the_extra_studies_asks_for() -> None:
    used = imported(ROOT / "projects")
    assert used <= {**OF_ENGINE, **OF_STUDIES}.keys()
    assert set(OF_STUDIES) <= used


def test_conda_python_is_the_oldest_that_the_project_supports() -> None:
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())
    [python] = [text for text in conda["dependencies"] if isinstance(text, str) and text.startswith("python=")]
    assert DOCUMENT["project"]["requires-python"] == f">={python.removeprefix('python=')}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    ignore = shutil.ignore_patterns("*.egg-info", "__pycache__", "build", ".git", ".venv*", "mlruns", "*.db*")
    shutil.copytree(ROOT, folder / "source", ignore=ignore)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(folder / "source")]
    subprocess.run(command, check=True, capture_output=True)
    [made] = folder.glob("rothamsted-*.whl")
    return made


def test_the_wheel_installs_the_package_rothamsted_and_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rothamsted"}


@pytest.mark.parametrize("name", ["tracking/sql/mlflow_tables.sql", "publish/exported/references.bib"])
def test_the_wheel_has_the_files_that_are_read_at_run_time(name: str, wheel: Path) -> None:
    assert f"rothamsted/{name}" in zipfile.ZipFile(wheel).namelist()


def test_the_wheel_asks_for_what_the_studies_use_in_the_extra_alone(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    asked = message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    always = {canonicalize_name(one.name) for one in map(Requirement, asked) if one.marker is None}
    assert always == set(OF_ENGINE)
    assert not always & set(OF_STUDIES)


def test_the_package_index_would_take_the_wheel(wheel: Path) -> None:
    pytest.importorskip("twine", reason="twine is not installed (pip install -e '.[test]')")
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", str(wheel)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "PASSED" in done.stdout) == (0, True), done.stdout


def test_the_page_of_the_package_is_the_readme(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = message_from_bytes(archive.read(name))
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert PAGE(README, None) == README
    assert PAGE(README, DOCUMENT["project"].get("urls", {}).get("Repository")).strip() in archive.read(name).decode()


def test_with_an_address_every_picture_and_link_of_the_page_is_absolute_and_leads_to_a_file() -> None:
    # PyPI shows no relative picture; the address is written into pyproject.toml when there is one.
    page = PAGE(README, "https://example.org/me/rothamsted/")
    targets = re.findall(r"\]\(([^)]+)\)", page)
    assert targets
    assert all(target.startswith(("https://", "http://", "#")) for target in targets)
    ours = [one.removeprefix("https://example.org/me/rothamsted/") for one in targets if "example.org" in one]
    assert len(ours) > 10
    assert all((ROOT / one.split("/", 2)[2].partition("#")[0]).exists() for one in ours)
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", page)
    assert len(pictures) == README.count("![")
    assert all(one.startswith("https://example.org/me/rothamsted/raw/main/docs/images/") for one in pictures)


def test_the_version_is_the_same_everywhere() -> None:
    import rothamsted

    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert DOCUMENT["project"]["version"] == rothamsted.__version__
    assert re.search(rf"^## {re.escape(rothamsted.__version__)}\b", changelog, re.MULTILINE)


def test_every_required_folder_and_file_is_there() -> None:
    names = "MLproject projects sweeps plugins conda.yaml registry tests pyproject.toml docs/design.md LICENSE"
    assert [name for name in names.split() if not (ROOT / name).exists()] == []
