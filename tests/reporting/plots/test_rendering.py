"""Every plot of every world: drawn, or refused with a reason; and what a drawn one is as a file."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from contextlib import nullcontext, suppress
from functools import cache

import pytest
from PIL import Image

from rothamsted.analysis.values import Analysis
from rothamsted.errors import UserError
from rothamsted.reporting.plots import PLOTS, NotApplicable, PlotOptions, Rendered, render, render_files, render_svg
from tests.reporting.analyses import analysis_of
from tests.reporting.worlds import WORLDS, grid

GRID_ONLY = {"trends", "trends_across", "heatmap", "sensitivity"}
TWO_FACTORS = {"trends_across", "heatmap", "sensitivity", "importance", "parallel"}
OVER_TASKS = {"task_profiles", "critical_difference", "improvement"}
ELSEWHERE = OVER_TASKS | {"expected_best"}  # plots that a grid cannot have
REFUSED = {
    "grid": ELSEWHERE,
    "one_factor": TWO_FACTORS | ELSEWHERE | {"outcomes"},
    "all_failed": set(PLOTS) - {"outcomes"},
    "one_condition": set(PLOTS) - {"forest", "curves", "curves_by_time", "schedule"},
    "random_search": GRID_ONLY | OVER_TASKS | {"outcomes"},
    "tasks": TWO_FACTORS | {"differences", "outcomes", "curves", "curves_by_time", "schedule", "expected_best"},
}


@cache
def world(name: str) -> Analysis:
    return WORLDS[name]()


@cache
def drawn_once(name: str, place: str = "") -> Rendered:
    return render(name, world(place or home_of(name)))


def home_of(name: str) -> str:
    """A world that has this plot."""
    return "tasks" if name in OVER_TASKS else "random_search" if name == "expected_best" else "grid"


@pytest.mark.parametrize("place", sorted(WORLDS))
@pytest.mark.parametrize("name", sorted(PLOTS))
def test_every_plot_of_every_world_is_drawn_or_says_why_not(name: str, place: str) -> None:
    if name in REFUSED[place]:
        with pytest.raises(NotApplicable, match=r"\w+ \w+ \w+"):
            render(name, world(place))
        return
    drawn = drawn_once(name, place)
    assert ET.fromstring(drawn.svg).tag.endswith("svg")
    assert len(drawn.caption) > 20
    assert "nan" not in drawn.caption


@cache
def hostile() -> Analysis:
    """Factors, levels and a metric with names that are markup, mathematics, long, or not text at all."""
    names = ('<script>alert("1")</script>', "$\\frac{1}{", "id=\"p1\" url(#x) 'quoted' & more" + "x" * 300)
    values = [
        {names[0]: a, names[1]: b, names[2]: c}
        for a in (1e-4, 1e-2, 1.0)
        for b in ("$x_$", "\x00\x1b[31m\n字", None)
        for c in (True, False)
    ]
    scores = [[float(i % 5) + 0.1 * j + 1 for j in range(3)] for i in range(len(values))]
    return analysis_of(values, scores, with_curves=True, log=(names[0],))


@pytest.mark.parametrize("name", sorted(PLOTS))
def test_hostile_names_are_text_in_every_plot(name: str) -> None:
    try:
        svg = render_svg(name, hostile())
    except NotApplicable:
        # nothing lost; scores follow no factor; a category; no tasks; not at random
        assert name in ("outcomes", "importance", "trends_across", *ELSEWHERE)
        return
    root = ET.fromstring(svg)  # well-formed
    assert "<script" not in svg
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg", "g", "defs", "path", "use", "clipPath", "rect", "text", "image", "pattern", "tspan"
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(PLOTS))
def test_a_figure_is_the_same_each_time_it_is_drawn(name: str) -> None:
    assert render_svg(name, world(home_of(name))) == drawn_once(name).svg


def test_no_id_is_used_twice_in_a_page_of_all_figures_and_every_reference_is_met() -> None:
    figures = [drawn_once(name).svg for name in PLOTS]
    figures += [drawn_once("curves", place).svg for place in ("one_factor", "random_search")]
    ids = [found for svg in figures for found in re.findall(r'\sid="([^"]*)"', svg)]
    references = [found for svg in figures for found in re.findall(r'(?:href="|url\()#([^")]*)', svg)]
    assert len(ids) == len(set(ids))
    assert set(references) == set(ids)


def test_a_figure_brings_everything_along_and_leaks_nothing() -> None:
    for name in PLOTS:
        svg = drawn_once(name).svg
        assert svg.startswith("<svg")
        assert "<style" not in svg
        assert "DOCTYPE" not in svg
        assert not re.search(r'(?:href|src)="(?!#|data:image/png)', svg)
        assert not re.search(r"\d{4}-\d\d-\d\dT", svg)  # no date


def test_no_letter_is_smaller_than_eight_points() -> None:
    sizes = [float(s) for name in PLOTS for s in re.findall(r"font-size:([\d.]+)px", drawn_once(name).svg)]
    assert sizes
    assert min(sizes) >= 8


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    render_svg("trends", world("grid"))
    assert dict(matplotlib.rcParams) == before
    assert matplotlib.rcParams["svg.fonttype"] != "none"


def test_a_png_has_300_dots_an_inch() -> None:
    # By hand: the column is 6.8 inches wide, so 2040 dots.
    png = render_files("trends", world("grid"), ["png"]).files["png"]
    with Image.open(io.BytesIO(png)) as image:
        assert image.width == 2040
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_a_plot_of_another_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UserError, match=r"no plot 'heatmapp'; did you mean heatmap\? the nearest of 19: heatmap, "):
        render_svg("heatmapp", world("grid"))


@pytest.mark.parametrize(
    ("given", "rule"),
    [({"n_series": 9}, "1 to 8"), ({"over": "median"}, "best"), ({"second_direction": "up"}, "maximize")],
)
def test_an_option_that_makes_no_sense_is_refused_with_its_rule(given: dict, rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        PlotOptions(**given)


@pytest.mark.parametrize("options", [PlotOptions(x="depht"), PlotOptions(group="depht")], ids=["x", "group"])
def test_a_misspelled_factor_is_refused_by_plots_that_have_no_use_for_it(options: PlotOptions) -> None:
    with pytest.raises(UserError, match="'depht' is not a factor that varies here; there are: "):
        render("curves", grid(), options)


@pytest.mark.slow
def test_all_plots_of_a_thousand_runs_take_under_four_seconds_and_one_and_a_half_megabytes() -> None:
    # In a fresh process a report of 1,000 runs takes 2.1 s; a busy machine is given twice as many.
    analysis = grid(20, (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096))
    assert len(analysis.dataset.replicates) == 1_000
    started, sizes = time.process_time(), []
    for name in PLOTS:
        with suppress(NotApplicable):
            sizes.append(len(render_svg(name, analysis)))
    assert time.process_time() - started < 4
    assert len(sizes) > 8
    assert sum(sizes) < 1_500_000


def test_importing_the_plots_loads_no_drawing_library_no_store_and_no_search() -> None:
    heavy = ("matplotlib", "sklearn", "pandas", "mlflow", "optuna")
    code = f"import sys, rothamsted.reporting.plots; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(PLOTS))
def test_a_figure_that_is_laid_out_first_is_the_one_that_matplotlib_lays_out_as_it_saves(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, module = drawn_once(name).svg, sys.modules[render.__module__]
    monkeypatch.setattr(module, "_svg", module._svg.__wrapped__)  # drawn again, not remembered
    monkeypatch.setattr(module, "placed", lambda *figure: nullcontext())
    assert render(name, world(home_of(name))).svg == quick
