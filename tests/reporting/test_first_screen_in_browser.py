"""The first screen of a report as a reader sees it: what lies within the window before anything is scrolled or opened.

A laptop shows 1366 x 768 points, a phone 390 x 844.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.values import Analysis, Dataset
from rothamsted.publish.pages import report_html
from rothamsted.reporting.next_steps import next_steps
from rothamsted.wording import estimate as written
from tests.reporting.test_one_verdict import SWEEPS, plain

pytestmark = pytest.mark.browser
LAPTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
QUESTION = "Question: how do the best learning rate, gamma and batch size depend on each other on digits?"
# Of each element that holds text itself: the text, where it has any and lies in the window as a whole.
IN_WINDOW = """
selector => Array.from(document.querySelectorAll(selector)).filter(one => {
  const box = one.getBoundingClientRect();
  return box.width > 0 && box.height > 0 && box.top >= 0 && box.bottom <= innerHeight
    && box.left >= 0 && box.right <= innerWidth;
}).map(one => one.textContent)
"""


def asked(name: str) -> Dataset:
    """A sweep as its record has it: with a question and a run."""
    found = SWEEPS[name]()
    return replace(found, question=QUESTION, run_id="0123456789abcdef0123456789abcdef", name=name)


@pytest.fixture
def shown(browser: Any, tmp_path: Path) -> Any:
    """Open the report of an analysis; returns a function of it, the window and the colours."""
    opened: list[Any] = []

    def show(made: Analysis, window: Mapping[str, int], **options: Any) -> Any:
        path = tmp_path / "report.html"
        path.write_text(report_html(made, plots=("trends",)), encoding="utf-8")
        page = browser.new_page(viewport=dict(window), **options)
        opened.append(page)
        page.goto(path.as_uri())
        return page

    yield show
    for page in opened:
        page.close()


def seen(page: Any, selector: str) -> list[str]:
    return [plain(text) for text in page.evaluate(IN_WINDOW, selector)]


NOTHING_TO_RUN = ("staged", "median_of_bad_seeds", "iqm_of_bad_seeds")  # the last two: all decided and confirmed


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("name", [name for name in SWEEPS if name != "one_condition"])
def test_a_laptop_shows_question_winner_interval_verdicts_and_what_to_do_next(
    name: str, colours: str, shown: Callable[..., Any]
) -> None:
    made = analyze(asked(name))
    page = shown(made, LAPTOP, color_scheme=colours)
    winner = made.ranking[0]
    again = next((one.confirmed for one in made.confirmed if one.condition == winner), None)
    interval = again or next(one.interval for one in made.objective if one.condition == winner)
    assert seen(page, ".question") == [QUESTION.removeprefix("Question: h").join(["H", ""])]
    [named] = seen(page, ".answer .name")
    assert named.startswith(f"condition {winner}: ")
    [estimate] = seen(page, ".answer .estimate")
    if interval is None:  # too few replicates for one of a quantile
        assert made.dataset.objective.over.startswith("quantile")
        assert float(estimate.removeprefix("loss ")) == pytest.approx(made.confirmed[0].mean, rel=1e-3)
    else:
        assert estimate == f"loss {written(interval.estimate, interval.low, interval.high)}"

    rows = seen(page, ".all table:not(details table) tbody tr:not(.fresh)")
    assert len(rows) == min(len(made.ranking), 20)
    if made.best is not None:
        verdicts = seen(page, ".all tbody tr:not(.fresh) .verdict")
        assert verdicts[0] == f"best {made.over_words}"
        expected = [f"best {made.over_words}" if n == winner else v.verdict for n, v in made.best.verdicts.items()]
        assert all(text.startswith(said) for text, said in zip(verdicts, expected, strict=False))
        assert any("as the best" in text or "No other can be the best" in text for text in seen(page, ".verdicts"))
    lines = [line for step in next_steps(made)[:1] for line in step.lines]
    commands = " ".join(seen(page, ".next pre")).replace("\\ ", "")
    assert all(" ".join(line.split()) in commands for line in lines)
    assert bool(lines) == (made.dataset.kind == "sweep" and name not in NOTHING_TO_RUN)


def test_a_phone_shows_question_winner_interval_and_verdicts_and_does_not_scroll_sideways(
    shown: Callable[..., Any],
) -> None:
    page = shown(analyze(asked("grid")), PHONE)
    assert len(seen(page, ".question")) == 1
    assert len(seen(page, ".answer .estimate")) == 1
    assert len(seen(page, ".verdicts")) == 1
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    below = page.evaluate("document.querySelector('.all tbody tr').getBoundingClientRect().bottom")
    assert below < 1.5 * PHONE["height"]


@pytest.mark.parametrize("name", ["tpe_with_repeats", "failures"])
def test_two_things_to_do_next_are_both_seen_on_a_laptop(name: str, shown: Callable[..., Any]) -> None:
    made = analyze(asked(name))
    steps = next_steps(made)
    assert [bool(step.lines) for step in steps] == [True, True]
    page = shown(made, LAPTOP)
    assert len(seen(page, ".next pre")) == 2
    for block, code in zip(page.locator(".next pre").all(), page.locator(".next code").all(), strict=True):
        n_lines = len(code.inner_text().strip().splitlines())
        assert block.evaluate("one => one.clientHeight") < (n_lines + 1.5) * 17.4  # none is broken by the window


def test_the_caption_of_a_wide_table_is_read_on_a_phone_without_scrolling(shown: Callable[..., Any]) -> None:
    page = shown(analyze(asked("grid")), PHONE)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    widths = (
        "Array.from(document.querySelectorAll('.table caption span')).map(one => one.getBoundingClientRect().right)"
    )
    found = page.evaluate(widths)
    assert len(found) >= 2
    assert max(found) <= PHONE["width"]


def test_long_names_do_not_push_the_verdicts_off_a_laptop(shown: Callable[..., Any]) -> None:
    found = asked("grid")
    long = {factor.name: f"model.workspace_dimension_of_{factor.name}" for factor in found.factors}
    named = replace(
        found,
        objective=found.objective.model_copy(update={"metric": "probe/synergy_accuracy_of_pairs"}),
        factors=tuple(replace(factor, name=long[factor.name]) for factor in found.factors),
        conditions=tuple(
            replace(one, values={long[name]: value for name, value in one.values.items()}) for one in found.conditions
        ),
    )
    page = shown(analyze(named), LAPTOP)
    assert page.evaluate("document.documentElement.scrollWidth") <= LAPTOP["width"]
    right = page.evaluate("document.querySelector('.all tbody .verdict').getBoundingClientRect().right")
    assert right <= LAPTOP["width"]


def test_the_chart_has_the_verdict_of_a_condition_in_the_row_of_its_interval(shown: Callable[..., Any]) -> None:
    page = shown(analyze(asked("grid")), LAPTOP)
    for row in page.locator(".all tbody tr:not(.fresh)").all():
        bar, verdict = row.locator(".arm").bounding_box(), row.locator(".verdict").bounding_box()
        assert verdict["y"] <= bar["y"] <= verdict["y"] + verdict["height"]


def test_printing_opens_what_is_folded_but_the_table_of_all_numbers(shown: Callable[..., Any]) -> None:
    page = shown(analyze(asked("grid")), LAPTOP)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    hidden = "Array.from(document.querySelectorAll('table')).filter(one => !one.checkVisibility())"
    assert [plain(text) for text in page.evaluate(f"{hidden}.map(one => one.caption.textContent)")] == [
        "loss by condition, lower is better, best first."
    ]


def test_a_report_is_printed_to_paper_with_its_chart_on_the_first_page(shown: Callable[..., Any]) -> None:
    page = shown(analyze(asked("grid")), LAPTOP)
    page.emulate_media(media="print")
    height = page.evaluate("document.querySelector('.all').getBoundingClientRect().bottom")
    assert height < 1123 - 136  # A4 at 96 dots an inch, without its margins
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
