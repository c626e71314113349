"""The recipes of CONTRIBUTING.md, cut out word for word, and the package that they make."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

_TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_BLOCKS = re.findall(r"^```(python|toml) (\S+)(?: file=(\S+))?\n(.*?)^```$", _TEXT, re.MULTILINE | re.DOTALL)

HEAD = "".join(text for _, what, _, text in _BLOCKS if what == "head")
FUNCTIONS = [(file, text) for _, what, file, text in _BLOCKS if what == "function"]
OF_THE_PACKAGE = [text for _, what, _, text in _BLOCKS if what == "package"]
ROWS = [(what.removeprefix("row="), text) for _, what, _, text in _BLOCKS if what.startswith("row=")]
ENTRIES = [text for _, what, _, text in _BLOCKS if what == "entry"]
ADDED = dict(re.findall(r'rothamsted\.(\w+)"\]\n(\w+) =', "".join(ENTRIES)))  # kind -> the name that is added

_PROJECT = """[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "my-package"
version = "1.0"

[tool.setuptools]
py-modules = ["my_package"]

"""


def install(source: Path, target: Path, *, name: str = "my_package", module: str, entries: str) -> None:
    """Build a package of one module and install it into a folder, without any network."""
    source.mkdir(parents=True)
    (source / f"{name}.py").write_text(module, encoding="utf-8")
    project = _PROJECT.replace("my_package", name).replace("my-package", name.replace("_", "-"))
    (source / "pyproject.toml").write_text(project + entries, encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--target", str(target), str(source)], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


def install_recipes(source: Path, target: Path) -> None:
    """The package of the recipes: its head, the functions, what only a package has, and the entry points."""
    module = "\n\n".join([HEAD, *(text for _, text in FUNCTIONS), *OF_THE_PACKAGE])
    install(source, target, module=module, entries="\n".join(ENTRIES))
