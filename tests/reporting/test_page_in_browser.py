"""What a browser makes of a report: tables sort by mouse and keyboard, nothing is run or fetched, it prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rothamsted.reporting.page.index_page import IndexRow, render_index
from rothamsted.reporting.page.report_page import render_report
from tests.reporting import pages
from tests.reporting.pages import ATTACK

pytestmark = pytest.mark.browser
SCORES = {0: [0.5, 0.6], 1: [0.30, 0.32], 2: [0.0000010, 0.0000012], 3: [0.7]}  # 3 has no standard deviation


@pytest.fixture
def report(tmp_path: Path) -> str:
    made = pages.analysis(SCORES, name=ATTACK, best=pages.best_set(2), marks=("A mark.",))
    source = render_report(made, plots=("curves",), render=lambda _: pages.SVG, generated_at="now", version="0.1.0")
    path = tmp_path / "report.html"
    path.write_text(source, encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser: Any, report: str) -> Iterator[Any]:
    opened = browser.new_page(viewport={"width": 1000, "height": 900})
    opened.goto(report)
    opened.locator("#results summary").first.click()
    yield opened
    opened.close()


def means(page: Any) -> list[str]:
    """The column of means of the result table, from top to bottom."""
    return page.locator("#results table").first.locator("tbody td:nth-child(6)").all_inner_texts()


def deviations(page: Any) -> list[str]:
    """The column of standard deviations of the result table, from top to bottom."""
    return page.locator("#results table").first.locator("tbody td:nth-child(8)").all_inner_texts()


def test_tables_come_in_the_order_of_rank(page: Any) -> None:
    assert means(page) == ["1.1 × 10⁻⁶", "0.31", "0.55", "0.7"]


def test_a_press_on_a_heading_sorts_by_the_number_and_not_by_its_text(page: Any) -> None:
    heading = page.locator("#results th", has_text="Mean").first
    heading.get_by_role("button").click()
    heading.get_by_role("button").click()
    assert means(page) == ["0.7", "0.55", "0.31", "1.1 × 10⁻⁶"]


def test_what_has_no_value_stays_last_in_rising_order_too(page: Any) -> None:
    page.locator("#results th", has_text="sd").first.get_by_role("button").click()
    assert deviations(page)[-1] == "–"
    assert deviations(page)[0].endswith("10⁻⁷")


def test_a_heading_is_reached_and_pressed_by_keyboard_and_says_its_order(page: Any) -> None:
    heading = page.locator("#results th", has_text="Mean").first
    heading.get_by_role("button").focus()
    found = [heading.get_attribute("aria-sort")]
    for key in ("Enter", "Space", "Enter"):
        page.keyboard.press(key)
        found.append(heading.get_attribute("aria-sort"))
    assert found == ["none", "ascending", "descending", "none"]


def test_the_third_press_brings_back_the_first_order(page: Any) -> None:
    before = means(page)
    for _ in range(3):
        page.locator("#results th", has_text="Mean").first.get_by_role("button").click()
    assert means(page) == before


def test_a_name_that_looks_like_a_script_runs_nothing(browser: Any, report: str) -> None:
    opened = browser.new_page()
    dialogs: list[str] = []
    opened.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    opened.goto(report)
    shown = opened.locator("h1").inner_text()
    opened.close()
    assert (shown, dialogs) == (ATTACK, [])


def test_a_script_that_found_its_way_into_the_page_would_not_run(browser: Any, report: str, tmp_path: Path) -> None:
    source = Path(report.removeprefix("file://")).read_text(encoding="utf-8")
    planted = tmp_path / "planted.html"
    script = "<script>document.title = 'taken'</script><img src='x' onerror=\"document.title = 'taken'\">"
    planted.write_text(source.replace("<main>", f"{script}<main>"), encoding="utf-8")
    opened = browser.new_page()
    opened.goto(planted.as_uri())
    title = opened.title()
    opened.close()
    assert title == ATTACK


def test_a_report_asks_for_nothing_but_itself(browser: Any, report: str) -> None:
    opened = browser.new_page()
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(report)
    opened.close()
    assert asked == [report]


def test_a_narrow_page_does_not_scroll_sideways(browser: Any, report: str) -> None:
    opened = browser.new_page(viewport={"width": 360, "height": 800})
    opened.goto(report)
    width = opened.evaluate("document.documentElement.scrollWidth")
    opened.close()
    assert width == 360


def test_a_dark_page_is_dark_and_its_text_light(browser: Any, report: str) -> None:
    opened = browser.new_page(color_scheme="dark")
    opened.goto(report)
    style = "getComputedStyle(document.body)"
    found = [opened.evaluate(f"{style}.{name}.match(/\\d+/g).map(Number)[0]") for name in ("backgroundColor", "color")]
    opened.close()
    assert (found[0] < 60, found[1] > 180) == (True, True)


def test_a_dark_page_is_printed_on_white(browser: Any, report: str) -> None:
    opened = browser.new_page(color_scheme="dark")
    opened.emulate_media(media="print", color_scheme="dark")
    opened.goto(report)
    found = opened.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    opened.close()
    assert found == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]


def test_a_laptop_shows_all_columns_of_the_index_of_reports(browser: Any, tmp_path: Path) -> None:
    row = IndexRow(
        page="language-model-quick.html",
        name="language-model-quick",
        question="Does one learning rate serve small networks of every width and depth? Many small runs side by side.",
        state="not complete",
        n_conditions=45,
        n_replicates=135,
        best="width=128, depth=3, optimizer.lr=0.0078125",
        metric="validation/accuracy",
        estimate="0.077 [0.051, 0.116]",
        basis="n = 3, as the search saw it",
    )
    path = tmp_path / "index.html"
    path.write_text(render_index([row] * 3, generated_at="now", version="0.1.0"), encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1280, "height": 800})
    opened.goto(path.as_uri())
    hidden = opened.evaluate("[...document.querySelectorAll('.scroll')].map(e => e.scrollWidth - e.clientWidth)")
    assert hidden
    assert max(hidden) <= 0
    opened.close()
