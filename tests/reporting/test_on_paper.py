"""A report that Chromium prints to PDF: what its pages say, read back from the file."""

from __future__ import annotations

import subprocess
import unicodedata
from pathlib import Path

import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.values import Analysis
from rothamsted.publish.pages import report_html
from rothamsted.reporting.next_steps import next_steps
from rothamsted.reporting.sections.first_screen import question_of
from tests.browser import sites
from tests.reporting.paper import pages_of
from tests.reporting.test_first_screen_in_browser import asked
from tests.reporting.worlds import grid

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(sites.find_browser() is None, reason=f"no browser found; install one of {sites.BROWSERS}"),
]


def bare(text: str) -> str:
    """Without white space and ligatures, which a PDF has in other places."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def printed(folder: Path, made: Analysis) -> list[str]:
    """The words of each page that `chromium --headless --print-to-pdf` writes of the report."""
    page, paper = folder / "report.html", folder / "report.pdf"
    page.write_text(report_html(made), encoding="utf-8")
    browser = sites.find_browser()
    assert browser is not None
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu"]
    command += [f"--user-data-dir={folder / 'profile'}", "--no-pdf-header-footer", f"--print-to-pdf={paper}"]
    subprocess.run([*command, page.as_uri()], check=True, capture_output=True, timeout=300)
    return [bare(words) for words in pages_of(paper.read_bytes())]


def test_the_first_sheet_has_question_winner_chart_and_what_to_do_next(tmp_path: Path) -> None:
    made = analyze(asked("grid"))
    first = printed(tmp_path, made)[0]
    assert bare(question_of(made)) in first
    assert bare(f"condition {made.ranking[0]}: ") in first
    assert bare(f"best {made.over_words}") in first
    assert bare("lower is better, best first") in first
    shown = made.ranking[:20]
    assert all(bare(f"{value:g}") in first for number in shown for value in _numbers(made, number))
    assert bare(next_steps(made)[0].words) in first
    assert "mlflowartifactsdownload" in first


def test_tables_figures_and_every_fold_with_its_name_are_on_paper(tmp_path: Path) -> None:
    said = "".join(printed(tmp_path, grid()))
    for title in ("Setup", "What the terms mean", "How to reproduce", "All numbers"):
        assert bare(title) in said
    for words in ("Table 1.", "Trends. Means over", "Heatmap of two factors.", "Learning curves by step."):
        assert bare(words) in said
    assert bare("More figures") not in said  # they are not printed, so neither is their heading


def _numbers(made: Analysis, number: int) -> list[float]:
    values = next(one.values for one in made.dataset.conditions if one.number == number).values()
    return [one for one in values if isinstance(one, float | int) and not isinstance(one, bool)]
