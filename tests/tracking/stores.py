"""A store to write to, as the contract tests are handed it, and one run written to it in two ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, RunTag
from mlflow.tracking.context.default_context import DefaultRunContext

from rothamsted.records import DatasetUsed, MetricPoint, RunStatus
from rothamsted.tracking import Recorder

START_MS, END_MS = 1_700_000_000_000, 1_700_000_009_000
TAGS = {"rothamsted.role": "replicate", "note": "größer als ''\"`%", "empty": ""}
PARAMS = {"lr": 0.1, "text": "x" * 6000, "nothing": None}
DATA = DatasetUsed(name="digits", digest="2677b17bf5efee7f", source="a study")
NAN, INF = float("nan"), float("inf")
POINTS = [
    MetricPoint("loss", 0.5, START_MS + 1, 0),
    MetricPoint("loss", 0.25, START_MS + 2, 10),
    MetricPoint("loss", 0.125, START_MS + 3, 5),  # logged last, but not the latest step
    MetricPoint("loss", 0.5, START_MS + 1, 0),  # the first one again
    MetricPoint("a/b c", NAN, START_MS, 1),
    MetricPoint("a/b c", NAN, START_MS, 1),
    MetricPoint("up", INF, START_MS, 1),
    MetricPoint("down", -INF, START_MS, 1),
    MetricPoint("tie", 2.0, START_MS, 3),
    MetricPoint("tie", 3.0, START_MS, 3),  # same step and time: the greater value is the latest
    MetricPoint("tie", 1.0, START_MS, 3),
    MetricPoint("later", 9.0, START_MS, 3),
    MetricPoint("later", 8.0, START_MS + 1, 3),
    MetricPoint("negative step", 1.0, START_MS, -1),
    MetricPoint("whole", 3, START_MS, 0),
]


@dataclass(frozen=True, kw_only=True)
class Store:
    """A tracking store, an empty experiment in it, and the recorder under test."""

    kind: str
    uri: str
    experiment_id: str
    open: Callable[[], Recorder]

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)


def written_by_recorder(store: Store) -> str:
    with store.open() as recorder:
        run_id = recorder.open_run(
            experiment_id=store.experiment_id,
            name="a run",
            parent_id="0" * 32,
            tags=TAGS,
            params=PARAMS,
            start_ms=START_MS,
            dataset=DATA,
        )
        recorder.log(run_id, metrics=POINTS[:4], tags={"late": "1"})
        recorder.flush()
        recorder.log(run_id, metrics=POINTS[4:], tags={"late": "2"}, params={"added": 1})
        recorder.set_description(run_id, "**bold**")
        recorder.end_run(run_id, RunStatus.FINISHED, END_MS)
    return run_id


def written_by_mlflow(store: Store) -> str:
    client = store.client
    tags = {**DefaultRunContext().tags(), **TAGS, "mlflow.parentRunId": "0" * 32}
    run = client.create_run(store.experiment_id, start_time=START_MS, tags=tags, run_name="a run")
    run_id = run.info.run_id
    params = [Param(key, str(value)) for key, value in {**PARAMS, "added": 1}.items()]
    client.log_batch(run_id, params=params)
    source = '{"tags": {"mlflow.source.name": "a study"}}'
    data = Dataset(name=DATA.name, digest=DATA.digest, source_type="code", source=source)
    client.log_inputs(run_id, datasets=[DatasetInput(data)])
    for points in (POINTS[:4], POINTS[4:]):
        client.log_batch(run_id, metrics=[Metric(p.key, p.value, p.timestamp_ms, p.step) for p in points])
    client.log_batch(run_id, tags=[RunTag("late", "2"), RunTag("mlflow.note.content", "**bold**")])
    client.set_terminated(run_id, status="FINISHED", end_time=END_MS)
    return run_id


def open_bare_run(store: Store, recorder: Recorder, start_ms: int = START_MS) -> str:
    return recorder.open_run(experiment_id=store.experiment_id, name="bare", tags={}, params={}, start_ms=start_ms)


def open_and_close_bare_run(store: Store) -> None:
    with store.open() as recorder:
        recorder.end_run(open_bare_run(store, recorder), RunStatus.FINISHED, END_MS)
