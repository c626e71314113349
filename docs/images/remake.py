"""Remakes the README's screenshots from a new quickstart sweep: `python docs/images/remake.py`.

Apart from the tests because it writes into the repository. It needs what the browser tests need (Chromium or Chrome,
and the `test` extra), runs the sweep in a temporary folder, and takes about two minutes on two cores.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

IMAGES = Path(__file__).resolve().parent
sys.path.insert(0, str(IMAGES.parent.parent))

from tests.browser import sites  # noqa: E402

LIMIT_KIB = 200  # of each picture: the README loads fast
N_COLORS = 256  # a palette is enough for a page of text and lines
LIST_SIZE = {"width": 1440, "height": 1080}  # all trials of the quickstart, one of them open
REPORT_SIZE = {"width": 1366, "height": 768}  # the first screen
SEARCH_SIZE = {"width": 1440, "height": 1130}
COLUMNS = (
    *("objective", "objective/mean", "objective/ci_low", "objective/ci_high"),
    *("optimizer.lr", "gamma", "batch_size"),
)
HIDDEN_COLUMNS = ("Dataset", "Source", "Models")


def main() -> int:
    """Run the sweep, take the pictures, and say how large they are."""
    executable = sites.find_browser()
    if executable is None:
        print(f"no browser found: install one of {', '.join(sites.BROWSERS)}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        copy = sites.copy_project(Path(folder))
        printed = sites.run_quickstart(copy)
        with sites.serve(copy) as found, sites.open_browser(executable) as browser:
            pictures = {
                "mlflow.png": take(browser, LIST_SIZE, lambda page: show_runs(page, found.mlflow, best_trial(printed))),
                "report.png": take(browser, REPORT_SIZE, lambda page: page.goto(report_of(copy).as_uri())),
                "optuna-dashboard.png": take(browser, SEARCH_SIZE, lambda page: show_search(page, found.dashboard)),
            }
    return write(pictures)


def report_of(copy: sites.Copy) -> Path:
    """The report of the only sweep."""
    return next((copy.folder / "mlruns").rglob("report.html"))


def best_trial(printed: str) -> int:
    """The first line of the table that a sweep prints when it ends."""
    row = re.search(r"^│ +(\d+) │", printed, re.MULTILINE)
    if row is None:
        raise RuntimeError(f"the sweep printed no table of best conditions:\n{printed}")
    return int(row.group(1))


def take(browser: Any, size: Mapping[str, int], show: Callable[[Any], None]) -> bytes:
    """A picture of a page once it shows what it should."""
    page = browser.new_page(viewport=size)
    show(page)
    page.wait_for_timeout(1500)  # plots and columns move into place
    picture = page.screenshot()
    page.close()
    return picture


def show_runs(page: Any, address: str, trial: int) -> None:
    """MLflow's list of runs: sweep > trial > replicate, with the objective's mean and interval as columns."""
    page.goto(sites.run_list(address))
    sites.row_of(page, "quickstart").wait_for()
    page.locator("[data-component-id='mlflow.assistant.chat_panel.close']").click()
    page.get_by_role("button", name="Toggle sidebar").click()
    page.get_by_role("button", name="Columns").click()
    for name in HIDDEN_COLUMNS:
        choose_column(page, name)
    for name in COLUMNS:
        choose_column(page, name)
    page.keyboard.press("Escape")
    sites.expand(page, "quickstart")
    sites.expand(page, f"trial {trial}")
    page.get_by_role("link", name=f"trial {trial} replicate 0", exact=True).wait_for()


def choose_column(page: Any, name: str) -> None:
    """Tick, or untick, a column in the open list of columns; a metric comes before a parameter of its name."""
    page.get_by_placeholder("Search columns").fill(name)
    nodes = page.get_by_test_id("column-selector-tree").locator("[class*='-tree-treenode ']")
    node = nodes.filter(has_text=re.compile(rf"^{re.escape(name)}$")).first
    node.locator("[class$='-tree-checkbox'], [class*='-tree-checkbox ']").first.click()


def show_search(page: Any, address: str) -> None:
    """optuna-dashboard's first page of a search: history, importance of parameters, timeline."""
    page.goto(f"{address}/dashboard/studies/1")
    page.locator(".js-plotly-plot .scatterlayer .point").first.wait_for(state="attached")
    page.locator(".js-plotly-plot .bars .point").first.wait_for(state="attached")


def write(pictures: Mapping[str, bytes]) -> int:
    """Write the pictures with a palette; one that is too large is an error."""
    status = 0
    for name, picture in pictures.items():
        image = Image.open(io.BytesIO(picture)).convert("RGB").quantize(N_COLORS)
        image.save(IMAGES / name, optimize=True)
        kib = (IMAGES / name).stat().st_size / 1024
        print(f"{name}: {kib:.0f} KiB")
        if kib >= LIMIT_KIB:
            print(f"{name}: is larger than {LIMIT_KIB} KiB; make its size or N_COLORS smaller", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
