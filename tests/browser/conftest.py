"""One finished quickstart sweep a session, shown by both web sites, and a fresh browser page for every test."""

from __future__ import annotations

import math
import sqlite3
import statistics
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from scipy.stats import t as student

from tests.browser import sites

LEVEL = 0.95  # of sweeps/quickstart.yaml
PAGE_SECONDS = 30.0  # for a page to show what a test waits for
# Six conditions of three replicates. At the largest step size training diverges within a few steps.
OVERRIDES = (
    *("--space", "optimizer.lr=0.02,0.2,1.0e+9 gamma=0.5,2.0"),
    *("--batch_size", "64", "--replicates.count", "3", "--execution.workers", "1"),
    *("--promote", "registry/batch_size.yaml"),
)
N_TRIALS = 6
REPLICATE_OBJECTIVES = """
    SELECT trial.value, metric.value
    FROM tags AS role
    JOIN tags AS trial ON trial.run_uuid = role.run_uuid AND trial.key = 'rothamsted.trial'
    JOIN latest_metrics AS metric ON metric.run_uuid = role.run_uuid AND metric.key = 'objective'
    JOIN tags AS phase ON phase.run_uuid = role.run_uuid AND phase.key = 'rothamsted.phase'
    WHERE role.key = 'rothamsted.role' AND role.value = 'replicate' AND phase.value = 'search'
"""
RUNS = """
    SELECT role.value, CAST(trial.value AS INTEGER), CAST(replicate.value AS INTEGER), runs.name, runs.run_uuid
    FROM runs
    JOIN tags AS role ON role.run_uuid = runs.run_uuid AND role.key = 'rothamsted.role'
    LEFT JOIN tags AS trial ON trial.run_uuid = runs.run_uuid AND trial.key = 'rothamsted.trial'
    LEFT JOIN tags AS replicate ON replicate.run_uuid = runs.run_uuid AND replicate.key = 'rothamsted.replicate'
    LEFT JOIN tags AS phase ON phase.run_uuid = runs.run_uuid AND phase.key = 'rothamsted.phase'
    WHERE phase.value IS NULL OR phase.value = 'search'
"""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over replicates with Student's t interval, computed here from the replicates' runs."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Runs:
    """The runs of the sweep and of its search: name and id of each."""

    sweep: tuple[str, str]
    trials: dict[int, tuple[str, str]]
    replicates: dict[tuple[int, int], tuple[str, str]]  # (trial, replicate)


def runs_of(copy: sites.Copy) -> Runs:
    """The runs, by what their tags say they are."""
    found = rows(copy, RUNS)
    return Runs(
        sweep=next((name, run_id) for role, _, _, name, run_id in found if role == "sweep"),
        trials={trial: (name, run_id) for role, trial, _, name, run_id in found if role == "trial"},
        replicates={(trial, k): (name, run_id) for role, trial, k, name, run_id in found if role == "replicate"},
    )


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A finished sweep and the two sites that show it."""

    printed: str  # what the sweep wrote to the terminal
    mlflow: str  # address of the MLflow UI
    dashboard: str  # address of optuna-dashboard
    runs: Runs
    estimates: dict[int, Estimate]  # trial -> estimate, of trials whose replicates all have a score

    @property
    def best_trial(self) -> int:
        return min(self.estimates, key=lambda number: self.estimates[number].mean)

    @property
    def diverged_trial(self) -> int:
        return next(number for number in range(N_TRIALS) if number not in self.estimates)


def rows(copy: sites.Copy, query: str) -> list[tuple[Any, ...]]:
    """Read MLflow's database past MLflow and past the package under test."""
    connection = sqlite3.connect(copy.mlflow_database)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def estimates_of(copy: sites.Copy) -> dict[int, Estimate]:
    """By the textbook, from the replicates' own numbers: t(0.975, n - 1) * sd / sqrt(n) on the log scale of a loss.

    The delta method: the standard error of log(mean) is that of the mean over the mean (Rice, Mathematical Statistics
    and Data Analysis, section 4.6).
    """
    scores: dict[int, list[float]] = defaultdict(list)
    for trial, value in rows(copy, REPLICATE_OBJECTIVES):
        scores[int(trial)].append(float(value))
    found = {}
    for trial, values in scores.items():
        n, mean = len(values), statistics.fmean(values)
        half = float(student.ppf((1 + LEVEL) / 2, n - 1)) * statistics.stdev(values) / n**0.5
        found[trial] = Estimate(mean=mean, low=mean * math.exp(-half / mean), high=mean * math.exp(half / mean))
    return found


@pytest.fixture(scope="session")
def shown(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The quickstart, reduced and with a step size that diverges. Asks for the browser first: that may skip."""
    copy = sites.copy_project(tmp_path_factory.mktemp("quickstart"))
    printed = sites.run_quickstart(copy, *OVERRIDES)
    with sites.serve(copy) as found:
        yield Shown(
            printed=printed,
            mlflow=found.mlflow,
            dashboard=found.dashboard,
            runs=runs_of(copy),
            estimates=estimates_of(copy),
        )


@pytest.fixture(scope="session")
def _profile(browser: Any) -> Iterator[Any]:
    """One profile for all pages, so that the sites' programs are fetched once."""
    context = browser.new_context(viewport={"width": 1500, "height": 1200})
    context.set_default_timeout(1000 * PAGE_SECONDS)
    yield context
    context.close()


@pytest.fixture(scope="session")
def _mlflow_page(_profile: Any) -> Iterator[Any]:
    """One page for all that is read in the MLflow UI: to start its program takes seconds of a processor."""
    opened = _profile.new_page()
    yield opened
    opened.close()


@pytest.fixture
def mlflow_page(_mlflow_page: Any, shown: Shown) -> Any:
    """The MLflow UI as it is without any page open, with nothing remembered in the browser."""
    _mlflow_page.goto(f"{shown.mlflow}/#/nowhere")
    _mlflow_page.get_by_text("Page Not Found").wait_for()  # nothing of an earlier test is on the page
    _mlflow_page.evaluate("() => localStorage.clear()")
    return _mlflow_page


@pytest.fixture
def new_page(_profile: Any) -> Iterator[Any]:
    """A new page in which the sites remember nothing of earlier tests."""
    opened = _profile.new_page()
    yield opened
    opened.evaluate("() => localStorage.clear()")
    opened.close()


@pytest.fixture
def page(new_page: Any) -> Any:
    """What the tests of a file read: a new page, unless the file says another."""
    return new_page
