"""What is installed, and that the files which name versions agree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT


def project_requirements() -> dict[str, Requirement]:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = [Requirement(text) for text in document["project"]["dependencies"]]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


def conda_pins() -> dict[str, str]:
    document = yaml.safe_load((ROOT / "conda.yaml").read_text())
    [pip] = [entry["pip"] for entry in document["dependencies"] if isinstance(entry, dict)]
    pins = [text.split("==") for text in pip if text != "."]
    return {canonicalize_name(name): version for name, version in pins}


def test_conda_pins_exactly_the_packages_that_the_project_asks_for() -> None:
    assert set(conda_pins()) == set(project_requirements())


@pytest.mark.parametrize("name", sorted(project_requirements()))
def test_each_conda_pin_lies_in_the_range_that_the_project_asks_for(name: str) -> None:
    assert project_requirements()[name].specifier.contains(conda_pins()[name])


def test_conda_python_is_the_oldest_that_the_project_supports() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())
    [python] = [text for text in conda["dependencies"] if isinstance(text, str) and text.startswith("python=")]
    assert document["project"]["requires-python"] == f">={python.removeprefix('python=')}"


def test_the_wheel_installs_the_package_rothamsted_and_nothing_else(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns("*.egg-info", "__pycache__", "build", ".git", ".venv*", "mlruns", "*.db*")
    shutil.copytree(ROOT, source, ignore=ignore)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(source)],
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("rothamsted-*.whl")
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rothamsted"}


def test_the_version_is_the_same_everywhere() -> None:
    import rothamsted

    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert document["project"]["version"] == rothamsted.__version__
    assert re.search(rf"^## {re.escape(rothamsted.__version__)}\b", changelog, re.MULTILINE)


def test_every_required_folder_and_file_is_there() -> None:
    names = "MLproject projects sweeps plugins conda.yaml registry tests pyproject.toml docs/design.md LICENSE"
    assert [name for name in names.split() if not (ROOT / name).exists()] == []
