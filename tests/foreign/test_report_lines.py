"""What a process reports in the file $ROTHAMSTED_REPORT, line by line, and in the last line of its output."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rothamsted.foreign.report_lines import ReportError, ReportFile, points_of_last_line
from rothamsted.records import MetricPoint


@pytest.fixture
def report(tmp_path: Path) -> ReportFile:
    return ReportFile(path=tmp_path / "report.jsonl")


def add(report: ReportFile, text: str) -> None:
    with report.path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_file_that_is_not_there_yet_says_nothing(report: ReportFile) -> None:
    assert report.read(5) == []


def test_each_line_is_read_once_at_its_step_or_the_next_one(report: ReportFile) -> None:
    add(report, '{"loss": 0.5}\n{"loss": 0.25, "acc": 1}\n')
    assert report.read(5) == [
        MetricPoint("loss", 0.5, 5, 1),
        MetricPoint("loss", 0.25, 5, 2),
        MetricPoint("acc", 1.0, 5, 2),
    ]
    add(report, '{"loss": 0.1, "step": 10, "epoch": 2.5}\n\n{"loss": 0.2}\n')
    assert report.read(6) == [
        MetricPoint("loss", 0.1, 6, 10),
        MetricPoint("epoch", 2.5, 6, 10),
        MetricPoint("loss", 0.2, 6, 11),
    ]
    assert report.read(7) == []


def test_a_line_without_its_end_waits_until_it_has_it_or_the_process_has_ended(report: ReportFile) -> None:
    add(report, '{"loss": 0.5}\n{"lo')
    assert [point.value for point in report.read(5)] == [0.5]
    add(report, 'ss": 0.25}')
    assert report.read(5) == []
    assert [(p.value, p.step) for p in report.read(5, is_over=True)] == [(0.25, 2)]


def test_null_and_nan_are_values_that_are_not_finite(report: ReportFile) -> None:
    add(report, '{"a": null, "b": NaN, "c": Infinity}\n')
    a, b, c = report.read(5)
    assert (math.isnan(a.value), math.isnan(b.value), math.isinf(c.value)) == (True, True, True)


MISTAKES = {
    "loss 0.5": 'line 2 of $ROTHAMSTED_REPORT: must be a JSON object such as {"val_loss": 0.3, "step": 1}, not loss',
    "[1, 2]": "line 2 of $ROTHAMSTED_REPORT: must be a JSON object",
    '{"loss": "low"}': "line 2 of $ROTHAMSTED_REPORT: loss must be a number, not 'low'",
    '{"loss": true}': "line 2 of $ROTHAMSTED_REPORT: loss must be a number, not 'True'",
    '{"loss": {"val": 1}}': "line 2 of $ROTHAMSTED_REPORT: loss must be a number",
    '{"loss": 1, "step": 1.5}': "$ROTHAMSTED_REPORT: step must be a whole number from 0 and below 2^63, not 1.5",
    '{"loss": 1, "step": -1}': "$ROTHAMSTED_REPORT: step must be a whole number from 0 and below 2^63, not -1",
}


@pytest.mark.parametrize(("line", "says"), MISTAKES.items(), ids=MISTAKES)
def test_a_bad_line_is_named_by_its_number(report: ReportFile, line: str, says: str) -> None:
    add(report, '{"loss": 0.5}\n' + line + "\n")
    with pytest.raises(ReportError) as refused:
        report.read(5)
    assert says in str(refused.value)


def test_bytes_that_are_no_text_are_a_bad_line(report: ReportFile) -> None:
    report.path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(ReportError, match="line 1"):
        report.read(5)


def test_the_last_line_that_is_an_object_gives_its_numbers() -> None:
    output = 'start\n{"loss": 3}\n{"loss": 0.5, "model": "small", "ok": true, "nothing": null}\nbye {}\n'
    assert points_of_last_line(output, 5) == [MetricPoint("loss", 0.5, 5, 1)]
    assert points_of_last_line("start\nend", 5) == []
    assert points_of_last_line("{broken\n", 5) == []
