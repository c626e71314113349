"""Hold a sweep open for one process: its file, its study, its queues and its record."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from pydantic import BaseModel

from rothamsted import outer_command, places, tags
from rothamsted.analysis.read_search import read_search
from rothamsted.analysis.values import Dataset
from rothamsted.errors import StoreError
from rothamsted.holders import new_worker_id
from rothamsted.records import DatasetUsed, RunStatus
from rothamsted.search import Queue, find_search, open_queue
from rothamsted.search.sql.named import unstarted
from rothamsted.search.sweep_lease import SweepLease
from rothamsted.spec import Sweep, from_resolved, with_secrets
from rothamsted.studies import Study, set_fields
from rothamsted.sweeping.foreign_study import ForeignStudy, parameters_of
from rothamsted.sweeping.stage import EarlierStage, first_stage, keeps_states, monitored
from rothamsted.tracking import Recorder, current_run_id, open_recorder

DIGEST_CHARACTERS = 16  # of a SHA-256; MLflow keeps 36

Emit = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Says where a sweep is started.

    Attributes:
        root: root of the MLflow project.
        tracking_uri: tracking store of its runs.
        outer_run_id: id of the run that MLflow opened around this process, if any.
        source: path of the sweep file, for the record; empty if there is none.
        question: the sweep file's opening comment.
        started: how it was started, if not by a command in the project: see `tags.STARTED`.
    """

    root: Path
    tracking_uri: str
    outer_run_id: str | None = None
    source: str = ""
    question: str = ""
    started: str = ""


def log_path(log: str, place: Place) -> Path:
    """Return the path of the experiment log of a sweep file, from the project's root as other paths of the file.

    The folder of a fetched project is temporary, so there the path starts in the working directory of the command.
    """
    is_here = place.started in ("", tags.BY_CALL)
    return (place.root if is_here else places.command_folder()) / log


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Holds a started sweep for one process; a context manager that releases it.

    Attributes:
        sweep: one stage of it, or the whole sweep if it has no stages.
        study: what it trains.
        queue: its trials.
        confirm_queue: the replicates that confirm its winners; None if nothing is confirmed.
        recorder: the writer of its runs.
        tracking_uri, experiment_id, sweep_run_id: where its runs are.
        root: root of the MLflow project.
        lease: lease of the sweep, held by the process that decides.
        earlier_stage: the stage before this one.
        keeps_states: the state at the end of each replicate is kept for the next stage.
        labels: name of each condition of a contest; empty for a sweep.
        question: the sweep file's opening comment.
        is_resumed: it had been started before.
        data_digest: digest of the data that the first condition trains on; None if it is not known.
        growths: what had been added, and when, in order, before it was opened; empty for a sweep that had not grown.
    """

    sweep: Sweep
    study: Study | ForeignStudy
    queue: Queue
    confirm_queue: Queue | None
    recorder: Recorder
    tracking_uri: str
    experiment_id: str
    sweep_run_id: str
    root: Path
    lease: SweepLease
    earlier_stage: EarlierStage | None = None
    keeps_states: bool = False
    labels: Sequence[str] = ()
    question: str = ""
    is_resumed: bool = False
    data_digest: str | None = None
    growths: Sequence[Mapping[str, Any]] = ()

    @property
    def dataset(self) -> DatasetUsed | None:
        """Give the data of all conditions; None if they are not known."""
        return dataset_of(self.sweep, self.study, self.data_digest)

    @property
    def has_grown(self) -> bool:
        """Return whether something was added since it was opened, so that this object has the old file."""
        return len(self.queue.attribute(tags.GROWN, [])) > len(self.growths)

    @property
    def is_rescored(self) -> bool:
        """Return whether scores may come from an earlier file, so that they are computed again when read."""
        return any(one["is_rescored"] for one in self.growths)

    @property
    def queues(self) -> tuple[Queue, ...]:
        """Return all queues that workers claim from, in their order."""
        return (self.queue,) if self.confirm_queue is None else (self.queue, self.confirm_queue)

    @property
    def home(self) -> Path:
        """Return the folder of checkpoints and logs."""
        return places.home(self.tracking_uri)

    def config_of(self, condition: Mapping[str, Any], seed: int) -> Any:
        """Return the study's config of one replicate; of a foreign project the parameters of its entry point."""
        if isinstance(self.study, ForeignStudy):
            return parameters_of(self.sweep, condition, seed)
        return config_of(self.study, self.sweep, condition, seed)

    def data(self) -> Dataset:
        """Read the data of the search and of its confirmation: every condition with some result."""
        return read_search(
            self.queue,
            self.sweep,
            confirmation=self.confirm_queue,
            run_id=self.sweep_run_id,
            experiment_id=self.experiment_id,
            question=self.question,
            metrics=self.study.known_metrics,
            growths=self.growths,
        )

    def end_run(self, status: RunStatus) -> None:
        """End the sweep's run, unless MLflow itself ends it or another process decides."""
        if self.lease.token and (current_run_id() != self.sweep_run_id or outer_command.is_gone()):
            self.recorder.end_run(self.sweep_run_id, status, time.time_ns() // 1_000_000)
        self.recorder.flush()

    def close(self) -> None:
        """Write what is buffered, and give the sweep's lease back."""
        self.lease.leave("left")
        self.recorder.close()

    def __enter__(self) -> Opened:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def dataset_of(sweep: Sweep, study: Study | ForeignStudy, data_digest: str | None) -> DatasetUsed | None:
    """Return the data that a sweep trains on, under the name of its file, else the study's."""
    if data_digest is None:
        return None
    named = sweep.parameters.get("data.name", study.name)
    return DatasetUsed(name=str(named), digest=data_digest[:DIGEST_CHARACTERS], source=study.name)


def config_of(study: Study, sweep: Sweep, condition: Mapping[str, Any], seed: int) -> BaseModel:
    """Return the config of a replicate: objective, fixed parameters, condition, then what its seed sets."""
    values = {**monitored(study, sweep), **sweep.parameters, **condition, **sweep.varied_by(seed)}
    return set_fields(study.config, values, place=f"sweep {sweep.name}")


def with_rows(study: Study | ForeignStudy, rows: Mapping[str, int]) -> Study | ForeignStudy:
    """Return the study with the numbers of rows of its shares, as they were found when the sweep was opened."""
    return study.with_rows(rows) if rows and isinstance(study, Study) else study


def queue_of(sweep: Sweep) -> Queue:
    """Return the queue of a sweep's trials in its storage."""
    return open_queue(
        sweep.storage,
        sweep.name,
        space=sweep.search_space,
        sampler=sweep.sampler.name,
        seed=sweep.sampler.seed,
        directions=[objective.direction for objective in sweep.objectives],
        pruner=None if sweep.pruner is None else sweep.pruner.plain,
    )


def confirm_queue_of(sweep: Sweep, *, create: bool = False) -> Queue | None:
    """Return the queue of the confirmation: a separate Optuna study that no sampler of the search sees.

    Each of its trials is one replicate of one condition, so that all workers can work on a single winner. None if the
    sweep confirms nothing.
    """
    if sweep.confirm is None:
        return None
    return open_queue(
        sweep.storage,
        sweep.confirm_name,
        space=sweep.search_space,
        sampler="grid",  # nothing is proposed: its conditions are added one by one
        seed=sweep.sampler.seed,
        directions=[objective.direction for objective in sweep.objectives],
        create=create,
    )


def open_started(
    name: str,
    storage: str,
    *,
    root: Path,
    find_target: Callable[[Sweep], Study | ForeignStudy],
    tracking_uri: str,
    secrets: Mapping[str, Any] = MappingProxyType({}),
) -> Opened:
    """Open a sweep that was started before, from its name and storage, as a worker does.

    Args:
        name: name of the sweep.
        storage: database URL of its search with its password, which is not recorded.
        root: root of the project.
        find_target: function that finds what it trains.
        tracking_uri: tracking store of its record.
        secrets: secrets that are not recorded, see `rothamsted.spec.recorded`.

    Raises:
        StoreError: there is no sweep of this name in the storage.
    """
    record = find_search(storage, name)
    if record is None:
        raise unstarted(storage, name)
    if tags.CONFIRMATION_OF in record.attributes:
        of = record.attributes[tags.CONFIRMATION_OF]
        raise StoreError(f"'{name}' is the confirmation of sweep '{of}', whose workers do both; write --sweep {of}")
    if tags.RUN_ID not in record.attributes:
        raise StoreError(f"sweep '{name}' is only just being started; give the same command again")
    whole = from_resolved(with_secrets({**record.spec, "storage": storage}, secrets))
    sweep, study = first_stage(whole), with_rows(find_target(whole), record.attributes.get(tags.ROWS, {}))
    stage = record.attributes.get(tags.STAGE)
    queue = queue_of(sweep)
    return Opened(
        sweep=sweep,
        study=study,
        queue=queue,
        confirm_queue=confirm_queue_of(sweep),
        recorder=open_recorder(tracking_uri),
        tracking_uri=tracking_uri,
        experiment_id=str(record.attributes[tags.EXPERIMENT_ID]),
        sweep_run_id=str(record.attributes[tags.RUN_ID]),
        root=root,
        lease=queue.lease(new_worker_id()),
        earlier_stage=EarlierStage.of(stage["earlier"]) if stage is not None else None,
        keeps_states=stage["keeps_states"] if stage is not None else keeps_states(whole, 0, study),
        labels=record.attributes.get(tags.CONTEST, {}).get("labels", ()),
        is_resumed=True,
        data_digest=record.attributes.get(tags.DATA_DIGEST),
        growths=record.attributes.get(tags.GROWN, ()),
    )
