"""A real MLflow server that is busy, slow, cut off or wants a password: each point is there once, and it is said.

All of this file: `pytest tests/tracking/test_server_faults.py -m ""`.
"""

from __future__ import annotations

import base64
import itertools
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from mlflow import MlflowClient

from rothamsted.errors import StoreError
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking import check_reachable, find_run, find_runs, open_recorder, read_history, read_text, retrying
from rothamsted.tracking.before_mlflow import settle
from rothamsted.tracking.failures import StoreAwayError
from rothamsted.tracking.retrying import Retrying
from tests.tracking.faulty_proxy import Asked, Fault, FaultyProxy, faulty_proxy
from tests.tracking.stores import END_MS, START_MS

pytestmark = pytest.mark.slow  # a server of its own


@pytest.fixture
def proxy(server_uri: str) -> Iterator[FaultyProxy]:
    settle()  # a test sees no MLFLOW_ variables, those neither that the engine sets
    with faulty_proxy(server_uri) as proxy:
        yield proxy


@pytest.fixture
def experiment_id(server_uri: str, request: pytest.FixtureRequest) -> str:
    return MlflowClient(server_uri).create_experiment(request.node.name)


def points(n_points: int, key: str = "loss") -> list[MetricPoint]:
    return [MetricPoint(key, float(step), START_MS + step, step) for step in range(n_points)]


def first(n: int, fault: Fault, what: str) -> Callable[[Asked], Fault | None]:
    """A fault of the first requests whose path ends so."""
    left = [fault] * n
    return lambda asked: left.pop() if left and asked.path.partition("?")[0].endswith(what) else None


def written(proxy: FaultyProxy, experiment_id: str, n_points: int = 5) -> str:
    with open_recorder(proxy.uri) as recorder:
        run_id = recorder.open_run(
            experiment_id=experiment_id, name="r", tags={"a": "b"}, params={"lr": 1}, start_ms=START_MS, holder=1
        )
        recorder.log(run_id, metrics=points(n_points))
        recorder.add_text(run_id, "said", "output.txt")
        recorder.flush()
        recorder.end_run(run_id, RunStatus.FINISHED, END_MS)
    return run_id


def check_once(run_id: str, server_uri: str, experiment_id: str, n_points: int = 5) -> None:
    """The run is there once, whole, and each of its points once."""
    run = find_run(run_id, uri=server_uri)
    assert run is not None
    assert (run.status, run.end_ms, run.params, run.tags["a"]) == ("FINISHED", END_MS, {"lr": "1"}, "b")
    assert [one.run_id for one in find_runs([experiment_id], {}, uri=server_uri)] == [run_id]
    there = Counter((p.key, p.step, p.value) for p in read_history([run_id], uri=server_uri)[run_id])
    assert there == Counter((p.key, p.step, p.value) for p in points(n_points))
    assert read_text(run_id, "output.txt", uri=server_uri) == "said"


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("what", ["runs/create", "log-batch", "output.txt"])
def test_a_server_that_says_when_to_ask_again_is_not_asked_before(
    proxy: FaultyProxy, server_uri: str, experiment_id: str, status: int, what: str
) -> None:
    # Authority: RFC 9110 section 10.2.3.
    proxy.fault = first(2, Fault(status=status, headers={"Retry-After": "2"}), what)
    check_once(written(proxy, experiment_id), server_uri, experiment_id)
    times = [one.at for one in proxy.of(what)][:3]
    assert all(later - earlier >= 2.0 for earlier, later in itertools.pairwise(times)), times


def test_a_server_that_wants_to_be_left_for_longer_than_we_wait_is_one_line_at_once(
    proxy: FaultyProxy, experiment_id: str
) -> None:
    proxy.fault = lambda asked: Fault(status=503, headers={"Retry-After": "3600"})
    with (
        pytest.raises(StoreError, match=r"HTTP 503; it asks for a pause of 3600 s; gave up after 0 s$"),
        open_recorder(proxy.uri) as recorder,
    ):
        recorder.open_run(experiment_id=experiment_id, name="r", tags={}, params={}, start_ms=START_MS)
    assert len(proxy.asked) == 1


@pytest.mark.parametrize("cut", ["before", "after"])
@pytest.mark.parametrize("what", ["runs/create", "log-batch", "runs/update", "output.txt"])
def test_a_cut_connection_loses_and_doubles_nothing(
    proxy: FaultyProxy, server_uri: str, experiment_id: str, cut: str, what: str
) -> None:
    proxy.fault = first(3, Fault(cut=cut), what)
    check_once(written(proxy, experiment_id), server_uri, experiment_id)


def test_a_server_that_takes_seconds_for_each_answer_is_not_refused(
    proxy: FaultyProxy, server_uri: str, experiment_id: str
) -> None:
    proxy.fault = first(1, Fault(seconds=8.0), "experiments/search")
    check_reachable(proxy.uri)
    proxy.fault = lambda asked: Fault(seconds=5.0)
    check_once(written(proxy, experiment_id), server_uri, experiment_id)


def test_a_server_that_does_not_answer_is_named_while_it_is_waited_for_and_when_it_is_back(
    proxy: FaultyProxy,
    server_uri: str,
    experiment_id: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert retrying.QUIET_SECONDS < 15
    monkeypatch.setattr(retrying, "QUIET_SECONDS", 1.0)
    proxy.fault = first(1, Fault(seconds=3.0, cut="before"), "log-batch")
    with caplog.at_level(logging.WARNING):
        check_once(written(proxy, experiment_id), server_uri, experiment_id)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("rothamsted")]
    assert said[0] == f"{proxy.uri}: no answer for 1 s; new records wait, and writing is tried for 600 s"
    assert said[1].startswith(f"{proxy.uri}: answers again after ")
    assert len(said) == 2


def test_requests_stay_within_the_limits_of_the_server(proxy: FaultyProxy, server_uri: str, experiment_id: str) -> None:
    # Authority: MLflow's REST documentation of log-batch: 1,000 metrics, 100 params, 100 tags, 1,000 in all, 1 MB.
    with open_recorder(proxy.uri) as recorder:
        run_id = recorder.open_run(
            experiment_id=experiment_id,
            name="r",
            tags={},
            params={f"p{i}": "x" * 5000 for i in range(250)},
            start_ms=START_MS,
        )
        recorder.log(run_id, metrics=points(2500), tags={f"t{i}": "y" * 4000 for i in range(120)})
    for asked in proxy.of("log-batch"):
        sizes = {kind: len(asked.data.get(kind, ())) for kind in ("metrics", "params", "tags")}
        assert sizes["metrics"] <= 1000
        assert max(sizes["params"], sizes["tags"]) <= 100
        assert sum(sizes.values()) <= 1000
        assert len(asked.body) <= 1_000_000
    assert len(proxy.of("log-batch")) <= math.ceil(2500 / 1000) + 3 + 2 + 1
    run = find_run(run_id, uri=server_uri)
    assert run is not None
    assert (len(run.params), sum(key.startswith("t") for key in run.tags)) == (250, 120)
    assert len(read_history([run_id], uri=server_uri)[run_id]) == 2500


def test_name_and_password_go_with_every_request(
    proxy: FaultyProxy, server_uri: str, experiment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Authority: RFC 7617 section 2.
    basic = "Basic " + base64.b64encode(b"anna:top secret").decode()
    proxy.fault = lambda asked: None if asked.authorization == basic else Fault(status=401)
    with pytest.raises(StoreError, match="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"):
        check_reachable(proxy.uri)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "anna")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "top secret")
    check_reachable(proxy.uri)
    check_once(written(proxy, experiment_id), server_uri, experiment_id)


def test_pauses_of_many_workers_differ_by_half_at_most() -> None:
    slept: list[float] = []
    clock = iter(range(1000))
    patient = Retrying(wait_seconds=8, clock=lambda: next(clock), sleep=slept.append, jitter=lambda: 1.0)

    def away() -> None:
        raise StoreAwayError("away")

    with pytest.raises(StoreError):
        patient.until_done(away)
    assert slept[:4] == [0.05, 0.1, 0.2, 0.4]
