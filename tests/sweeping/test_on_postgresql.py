"""Both databases on PostgreSQL, by whole commands: a coordinator with two workers, one by hand, and the report.

`pytest tests/sweeping/test_on_postgresql.py -m ""`
"""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa

from rothamsted import tags
from rothamsted.tracking import find_runs, list_files, migrate, read_history
from tests.sweeping.conftest import Project
from tests.sweeping.same_result import check_readers_agree
from tests.sweeping.test_run import spawn


@pytest.mark.slow  # six whole processes
def test_a_sweep_a_worker_by_hand_and_a_report(empty_project: Project, postgres_url: str, postgres_server: str) -> None:
    empty_project.altered.append("its record is on PostgreSQL")
    storage, runs = postgres_url, _second_database(postgres_server)
    config = empty_project.write(
        {
            "storage": storage,
            "parameters": {"steps": 40, "n_points": 20, "sleep_seconds": 0.05},
            "confirm": {"keep": 1, "replicates": 5},
            "execution": {"workers": 2},
        }
    )
    settings = {"MLFLOW_TRACKING_URI": runs, "ROTHAMSTED_HOME": str(empty_project.root)}
    sweep = spawn(empty_project, "sweep", "--config", str(config), **settings)
    worker = spawn(empty_project, "worker", "toys", f"storage={storage}", "wait=2m", **settings)
    try:
        output, _ = sweep.communicate(timeout=300)
        by_hand, _ = worker.communicate(timeout=60)
    finally:
        sweep.kill()
        worker.kill()
    assert sweep.returncode == 0, output
    assert worker.returncode == 0, by_hand
    assert "Traceback" not in output + by_hand
    found = find_runs(None, {tags.ROLE: "replicate", tags.SWEEP: "toys"}, uri=runs)
    places = Counter((run.tags[tags.PHASE], run.tags[tags.TRIAL], run.tags[tags.SEED]) for run in found)
    assert (len(places), set(places.values())) == (6 * 3 + 5, {1})
    assert {run.status for run in find_runs(None, {}, uri=runs)} == {"FINISHED"}
    histories = read_history([run.run_id for run in found], uri=runs)
    assert all(set(Counter((p.key, p.step) for p in points).values()) == {1} for points in histories.values())
    check_readers_agree(storage, runs)
    report = empty_project.cli("report", "toys", **settings)
    assert report.returncode == 0, report.stderr
    assert "Confirmed on fresh seeds" in report.stdout
    (sweep_run,) = find_runs(None, {tags.ROLE: "sweep"}, uri=runs)
    assert any(path.endswith(".html") for path in list_files(sweep_run.run_id, "report", uri=runs))


def _second_database(server: str) -> str:
    """MLflow's own: its tables and Optuna's keep their versions under one name."""
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE record_of_commands"))
    admin.dispose()
    uri = sa.make_url(server).set(database="record_of_commands").render_as_string(hide_password=False)
    migrate(uri)
    return uri
