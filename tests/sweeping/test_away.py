"""Both databases stop in the middle of a sweep and come back: all wait, and nothing is lost or doubled."""

from __future__ import annotations

import time
from collections import Counter

import pytest
import sqlalchemy as sa

from rothamsted import tags
from rothamsted.tracking import find_runs, migrate, read_history
from tests.search.test_away import Server, server  # noqa: F401  (the fixture)
from tests.sweeping.conftest import Project
from tests.sweeping.test_run import SLOW, spawn, wait_until

AWAY_SECONDS = 6.0


@pytest.mark.slow  # a server of its own, stopped for seconds
def test_a_sweep_waits_for_both_databases_and_ends_whole(empty_project: Project, server: Server) -> None:  # noqa: F811
    url = sa.engine.make_url(server.url)
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE runs"))
        connection.execute(sa.text("CREATE DATABASE search"))
    admin.dispose()
    runs, storage = (url.set(database=name).render_as_string(hide_password=False) for name in ("runs", "search"))
    migrate(runs)
    config = str(
        empty_project.write(
            {"parameters": SLOW, "storage": storage, "confirm": {"replicates": 3}, "execution": {"workers": 2}}
        )
    )
    sweep = spawn(empty_project, "sweep", "--config", config, MLFLOW_TRACKING_URI=runs)
    try:
        wait_until(lambda: len(find_runs(None, {tags.OUTCOME: "finished"}, uri=runs)) >= 3)
        server.stop()
        time.sleep(AWAY_SECONDS)
        assert sweep.poll() is None, sweep.communicate()[0]
        server.start()
        output, _ = sweep.communicate(timeout=200)
    finally:
        sweep.kill()
    assert sweep.returncode == 0, output
    assert "Traceback" not in output
    found = find_runs(None, {tags.ROLE: "replicate"}, uri=runs)
    places = Counter((run.tags[tags.PHASE], run.tags[tags.TRIAL], run.tags[tags.SEED]) for run in found)
    assert (len(places), set(places.values())) == (18 + 3, {1})
    assert {run.status for run in found} == {"FINISHED"}
    histories = read_history([run.run_id for run in found], uri=runs)
    points = Counter((run_id, p.key, p.step) for run_id, of_run in histories.items() for p in of_run)
    assert set(points.values()) == {1}
