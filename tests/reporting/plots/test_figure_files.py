"""Plots as files for a paper: PNG, SVG, PDF."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest

from rothamsted.analysis.analyze import analyze
from rothamsted.analysis.values import Analysis, Dataset, Series
from rothamsted.errors import UserError
from rothamsted.metric import Metric
from rothamsted.publish.figures import write_figures
from rothamsted.reporting.plots import NotApplicable, PlotOptions, render_files
from rothamsted.reporting.plots.curves import curves_caption, curves_data
from rothamsted.reporting.plots.trends import trends_data
from rothamsted.statistics import mean_interval
from rothamsted.statistics.smoothing import smoothing_named
from tests.analysis.runs import dataset
from tests.reporting.worlds import grid

N_SEEDS, N_POINTS = 4, 30


def noisy(n_conditions: int = 2) -> Dataset:
    """Conditions whose loss falls with noise; a step is 8 samples and half a second."""
    rng = np.random.default_rng(3)
    plain = dataset({c: [1.0 + c + 0.1 * s for s in range(N_SEEDS)] for c in range(n_conditions)})
    steps = np.arange(1, N_POINTS + 1)

    def series() -> Series:
        values = 1 + 3 * np.exp(-steps / 10) + 0.3 * rng.normal(size=N_POINTS)
        return Series(steps=steps, values=values, seconds=steps / 2, epochs=steps * np.nan, samples=8.0 * steps)

    replicates = tuple(dataclasses.replace(r, series={"loss": series()}) for r in plain.replicates)
    return dataclasses.replace(plain, replicates=replicates)


def streams(pdf: bytes) -> bytes:
    """What stands in the compressed streams of a PDF."""
    found = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    texts = []
    for one in found:
        try:
            texts.append(zlib.decompress(one))
        except zlib.error:
            continue
    return b"\n".join(texts)


def test_a_pdf_holds_its_letters_as_text_and_its_fonts_embedded() -> None:
    # Authority: PDF 32000-1, 9.6 and 9.9: a TrueType font is embedded by /FontFile2; Tj and TJ show text.
    pdf = render_files("trends", grid(), ["pdf"]).files["pdf"]
    assert pdf.startswith(b"%PDF-")
    assert b"%%EOF" in pdf[-32:]
    assert b"/FontFile2" in pdf
    assert b"/Type3" not in pdf
    shown = b"".join(re.findall(rb"\(((?:[^()\\]|\\.)*)\)", streams(pdf)))
    assert b"learning_rate" in shown.replace(b"\0", b"")
    assert b"CreationDate" not in pdf


def test_an_svg_is_a_document_of_its_own_and_says_the_same_each_time() -> None:
    first, again = (render_files("forest", grid(), ["svg"]).files["svg"] for _ in range(2))
    assert ET.fromstring(first).tag == "{http://www.w3.org/2000/svg}svg"
    assert first == again


def test_a_pdf_is_the_same_each_time() -> None:
    first, again = (render_files("curves", grid(), ["pdf"]).files["pdf"] for _ in range(2))
    assert first == again


@pytest.mark.parametrize("name", ["trends", "forest", "curves", "parallel", "scatter"])
def test_a_figure_is_as_wide_as_is_asked_for(name: str) -> None:
    # By hand: 85 mm are 85 / 25.4 * 72 = 240.94 points.
    pdf = render_files(name, grid(), ["pdf"], width_mm=85).files["pdf"]
    box = re.search(rb"/MediaBox \[\s*0 0 ([\d.]+) ", pdf)
    assert box is not None
    assert float(box.group(1)) == pytest.approx(240.94, abs=0.01)


def test_no_file_is_written_where_a_plot_that_was_named_has_nothing_to_show(tmp_path) -> None:
    with pytest.raises(UserError, match=r"plots=outcomes: all .* finished: nothing was lost"):
        write_figures(
            analyze(noisy()),
            tmp_path / "figures",
            plots=["forest", "outcomes"],
            formats=["pdf"],
            where={},
            options=PlotOptions(),
        )
    assert not (tmp_path / "figures").exists()


def test_smoothing_is_done_to_each_replicate_before_the_mean_and_its_interval() -> None:
    # Authority: plain loops over the replicates, one point at a time.
    found, weight = noisy(), 0.8
    options = PlotOptions(smoothing=smoothing_named(f"ema:{weight}"))
    analysis = analyze(found)
    data = curves_data(analysis, options, axis="step")
    best = data.curves[0]
    of_best = [r.series["loss"].values.tolist() for r in found.replicates if r.condition == best.condition]
    for i in (0, 7, N_POINTS - 1):
        smoothed = []
        for values in of_best:
            weights = [weight ** (i - k) for k in range(i + 1)]
            smoothed.append(sum(w * v for w, v in zip(weights, values, strict=False)) / sum(weights))
        interval = mean_interval(np.array(smoothed))
        assert interval is not None
        assert best.mean[i] == pytest.approx(np.mean(smoothed), rel=1e-12)
        assert (best.low[i], best.high[i]) == pytest.approx((interval.low, interval.high), rel=1e-9)
    (raw,) = best.beneath
    assert raw.y == pytest.approx(np.mean(of_best, axis=0))
    assert "an exponential moving average (weight of the past 0.8), each replicate before the mean" in curves_caption(
        data
    )


def test_of_a_lone_condition_each_replicate_is_drawn() -> None:
    found = noisy(1)
    data = curves_data(analyze(found), PlotOptions(), axis="step")
    assert [one.y.tolist() for one in data.curves[0].beneath] == [
        r.series["loss"].values.tolist() for r in found.replicates
    ]
    assert "Pale: each replicate" in curves_caption(data)


def test_curves_run_along_samples_where_they_are_asked_for() -> None:
    data = curves_data(analyze(noisy()), PlotOptions(axis="samples"), axis="step")
    assert (data.x_label, data.curves[0].x[:2].tolist()) == ("samples seen", [8.0, 16.0])


def test_an_axis_of_samples_that_nobody_logged_is_refused_with_those_there_are() -> None:
    found = noisy()
    without = tuple(
        dataclasses.replace(r, series={"loss": dataclasses.replace(r.series["loss"], samples=None)})
        for r in found.replicates
    )
    analysis = analyze(dataclasses.replace(found, replicates=without))
    with pytest.raises(NotApplicable, match=r"no run has logged samples_seen; axes with curves: step, seconds"):
        curves_data(analysis, PlotOptions(axis="samples"), axis="step")


def declared(analysis: Analysis, **metrics: Metric) -> Analysis:
    return dataclasses.replace(analysis, dataset=dataclasses.replace(analysis.dataset, metrics=metrics))


def test_axes_show_the_label_and_the_unit_that_a_study_declares() -> None:
    analysis = declared(grid(), val_loss=Metric(label="validation loss", unit="nats"))
    assert trends_data(analysis, PlotOptions()).label == "validation loss (nats)"
    assert curves_data(analysis, PlotOptions(), axis="step").metric == "validation loss (nats)"
    for name in ("trends", "heatmap", "forest", "curves", "scatter", "parallel", "history", "pareto"):
        svg = render_files(name, analysis, ["svg"]).files["svg"].decode()
        assert "validation loss" in svg.replace("\n", " "), name
        assert "val_loss" not in svg, name


def test_a_schedule_that_never_changes_is_no_plot() -> None:
    analysis = grid()
    bands = analysis.bands["learning_rate"]["step"]
    still = tuple(dataclasses.replace(b, mean=np.full(len(b.x), 0.1)) for b in bands)
    flat = dataclasses.replace(analysis, bands={**analysis.bands, "learning_rate": {"step": still}})
    with pytest.raises(NotApplicable, match="learning_rate stays the same during training in every condition"):
        render_files("schedule", flat, ["svg"])
