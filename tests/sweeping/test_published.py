"""What is written of a sweep: the same columns and numbers from the search at once and from the record later."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from rothamsted.analysis.analyze import settings_of
from rothamsted.analysis.read_search import read_search
from rothamsted.publish.finished import publish_finished
from tests.sweeping.conftest import Project, stop_in_replicate
from tests.sweeping.search_run import Ran, run, write_down

TABLES = ("conditions", "replicates")
NOT_IN_THE_SEARCH = ("seconds", "started_ms")  # times of runs
SWEEP: dict[str, Any] = {
    "space": {"lr": [0.02, 0.25, 0.3, 10.0]},
    "parameters": {"steps": 200, "n_points": 5, "own_noise": 0.01},
    "constraints": ["val_loss < 0.1"],
    "confirm": {"keep": 1, "replicates": 3},
}


def tables(ran: Ran) -> dict[str, list[dict[str, str]]]:
    return {name: ran.table(name) for name in TABLES}


def test_tables_have_the_same_columns_and_numbers_with_and_without_a_report(project: Project) -> None:
    ran = run(project, SWEEP)
    quick = tables(ran)
    assert publish_finished(
        ran.context.sweep_run_id, settings_of(ran.context.sweep.statistics), uri=project.tracking_uri
    )
    for name, rows in tables(ran).items():
        assert [list(row) for row in rows] == [list(row) for row in quick[name]]
        for now, before in zip(rows, quick[name], strict=True):
            assert {k: v for k, v in now.items() if k not in NOT_IN_THE_SEARCH} == {
                k: v for k, v in before.items() if k not in NOT_IN_THE_SEARCH
            }


def test_a_stopped_sweep_has_tables_of_the_same_columns_and_says_how_far_it_is(project: Project) -> None:
    whole = tables(run(project, {**SWEEP, "name": "whole"}))
    context = project.start(SWEEP)
    stopped = write_down(project, context, project.work(context, stop_in_replicate(5, 1)))
    assert {name: list(rows[0]) for name, rows in tables(stopped).items()} == {
        name: list(rows[0]) for name, rows in whole.items()
    }
    assert "This sweep is not finished: 1 of 4 conditions has ended" in stopped.description


def test_the_search_is_read_in_two_queries_a_queue(project: Project) -> None:
    context = project.start({**SWEEP, "confirm": None})
    project.work(context)
    seen: list[str] = []
    event.listen(context.queue._database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    assert len(read_search(context.queue, context.sweep).conditions) == 4
    assert len([text for text in seen if text.lstrip().upper().startswith("SELECT")]) == 2
