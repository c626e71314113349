"""Make the README's screenshots again from a new quickstart sweep: `python docs/images/remake.py`.

It is no test, because it writes into the repository. It needs what the browser tests need (Chromium or Chrome,
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
LIST_SIZE = {"width": 1500, "height": 900}  # all trials of the quickstart
RUN_SIZE = {"width": 1500, "height": 1000}  # the answer and its chart
REPORT_SIZE = {"width": 1366, "height": 768}  # the first screen
SEARCH_SIZE = {"width": 1440, "height": 2060}  # down to the plots of ours


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
                "mlflow.png": take(browser, LIST_SIZE, lambda page: show_trials(page, found.mlflow, printed)),
                "mlflow-result.png": take(browser, RUN_SIZE, lambda page: show_result(page, found.mlflow, printed)),
                "report.png": take(browser, REPORT_SIZE, lambda page: page.goto(report_of(copy).as_uri())),
                "optuna-dashboard.png": take(browser, SEARCH_SIZE, lambda page: show_search(page, found.dashboard)),
            }
    return write(pictures)


def report_of(copy: sites.Copy) -> Path:
    """The report of the only sweep."""
    return next((copy.folder / "mlruns").rglob("report.html"))


def take(browser: Any, size: Mapping[str, int], show: Callable[[Any], None]) -> bytes:
    """A picture of a page once it shows what it should."""
    page = browser.new_page(viewport=size)
    show(page)
    page.wait_for_timeout(1500)  # plots and columns move into place
    picture = page.screenshot()
    page.close()
    return picture


def show_trials(page: Any, address: str, printed: str) -> None:
    """What the printed link opens: the trials, best first, with intervals."""
    page.goto(f"{address}/{sites.link_to(printed, 'its trials')}")
    page.get_by_text(re.compile(r"\d+ matching runs")).wait_for()
    sites.column(page, "objective/mean").wait_for()
    make_room(page)


def show_result(page: Any, address: str, printed: str) -> None:
    """What the other link opens: the sweep's run, its description unfolded."""
    page.goto(f"{address}/{sites.link_to(printed, 'its result')}")
    page.get_by_role("button", name="Expand description").click()
    page.locator("img[src*='intervals.png']").wait_for()
    make_room(page)


def make_room(page: Any) -> None:
    """Close what MLflow opens beside a page."""
    page.locator("[data-component-id='mlflow.assistant.chat_panel.close']").click()
    page.get_by_role("button", name="Toggle sidebar").click()


def show_search(page: Any, address: str) -> None:
    """optuna-dashboard's first page of a search: its own plots, then intervals, map and set."""
    page.goto(f"{address}/dashboard/studies/1")
    page.locator(".js-plotly-plot .scatterlayer .point").first.wait_for(state="attached")
    page.locator(".js-plotly-plot .bars .point").first.wait_for(state="attached")
    page.locator(".js-plotly-plot").filter(has_text="What cannot be ruled out").first.wait_for()


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
