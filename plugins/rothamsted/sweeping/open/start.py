"""Open a sweep: check everything, make what is missing, and take the sweep's lease, or help its holder.

The sweep's file, the lease and the id of its run are written to the search before the run is made. The run's id under
its final key says that the sweep has been started. So a start that is killed in between blocks no name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rothamsted import tags, tracking
from rothamsted.errors import StoreError
from rothamsted.holders import is_alive, new_worker_id
from rothamsted.masking import is_secret, masked
from rothamsted.search import Queue, SearchRecord, check_storage
from rothamsted.search.sql.named import SPEC_KEY
from rothamsted.search.storage import Direction, create_study
from rothamsted.search.sweep_lease import SweepLease
from rothamsted.spec import Growth, Sweep, recorded
from rothamsted.studies import Study
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.asked import Asked, ask_everything, started_record
from rothamsted.sweeping.open.contestants import Contestants
from rothamsted.sweeping.open.grow import check_joined, grow_search
from rothamsted.sweeping.open.growth import CONFIRM_STUDY, growth_since
from rothamsted.sweeping.open.sweep_run import SweepRun, mark_continuation
from rothamsted.sweeping.open.warm_start import known_from
from rothamsted.sweeping.opened import Opened, Place, confirm_queue_of, open_started, queue_of, with_rows
from rothamsted.sweeping.stage import LaterStage, first_stage, keeps_states
from rothamsted.tracking import Recorder

LEASE_SECONDS = 60.0  # of the sweep: a coordinator that is silent for longer has lost it
LOOK_SECONDS = 0.1  # between two looks at a sweep that another process is just starting


def open_sweep(
    sweep: Sweep,
    study: Study | ForeignStudy,
    place: Place,
    *,
    stage: LaterStage | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Opened:
    """Open a sweep, or its first stage if it has stages, for the process that decides or for one that helps.

    Args:
        sweep: the checked sweep file.
        study: what it trains.
        place: where it is started.
        stage: its link if it is a later stage.
        say: function that gets a line if another process runs this sweep already.

    Raises:
        UserError: something is wrong, in one line; nothing has been created in either database.
    """
    if stage is not None:
        place = replace(place, outer_run_id=None)
    asked = ask_everything(sweep, study, place)
    opening = Opening(
        sweep=first_stage(sweep),
        whole=sweep,
        study=with_rows(study, asked.rows),
        place=place,
        asked=asked,
        stage=stage,
        growth=lambda record: growth_since(sweep, record, asked.data_digest, tracking_uri=place.tracking_uri),
    )
    return opening.open(say)


def open_passed(
    sweep: Sweep, study: Study | ForeignStudy, place: Place, *, stage: LaterStage | None = None
) -> Opened | None:
    """Open a stage if the conditions of the next one are decided, without running or writing; None: they are not.

    Args:
        sweep: the first stage with all that follow, or a later one.
        study: what it trains.
        place: where it is started.
        stage: its link if it is a later stage.

    Raises:
        UserError: as `open_sweep`.
    """
    check_storage(sweep.storage)
    record = started_record(sweep.storage, sweep.name)
    if record is None or tags.NEXT_STAGE not in record.attributes:
        return None
    asked = ask_everything(sweep, study, place if stage is None else replace(place, outer_run_id=None))
    opened = open_started(
        sweep.name,
        sweep.storage,
        root=place.root,
        find_target=lambda whole: study,
        tracking_uri=place.tracking_uri,
    )
    if asked.outer is not None and asked.outer.run_id != opened.sweep_run_id:
        mark_continuation(opened.recorder, asked.outer, opened.experiment_id, opened.sweep_run_id, sweep.name)
    return opened


@dataclass(frozen=True, kw_only=True)
class Opening:
    """Opens a sweep or a contest after all checks.

    Attributes:
        sweep: the sweep or stage that runs.
        whole: the sweep with its stages.
        study, place, asked, stage: as in `open_sweep`, and the results of the checks.
        growth: what was added since the sweep was started; it refuses changes that cannot go on.
        contestants: contestants of a contest.
        experiment_id: MLflow's folder for the runs; None: as the environment and the file say.
    """

    sweep: Sweep
    whole: Sweep
    study: Study | ForeignStudy
    place: Place
    asked: Asked
    growth: Callable[[SearchRecord], Growth]
    stage: LaterStage | None = None
    contestants: Contestants | None = None
    experiment_id: str | None = None

    def open(self, say: Callable[[str], None]) -> Opened:
        """Make what is missing, or join a running session."""
        known = None if self.asked.record is not None else known_from(self.sweep)
        tracking.migrate(self.place.tracking_uri)
        sweep = self.sweep
        if self.asked.record is None:
            directions: list[Direction] = [objective.direction for objective in sweep.objectives]
            # At once, so that a process that dies after it leaves no study that nobody recognises.
            create_study(sweep.storage, sweep.name, directions, attributes=self._first_attributes())
        queue = queue_of(self.sweep)
        lease = queue.lease(new_worker_id())
        if not lease.take(LEASE_SECONDS, is_dead=lambda holder: not is_alive(holder)):
            return self._join(queue, say)
        try:
            record = started_record(self.sweep.storage, self.sweep.name)  # it may have been started since it was asked
            if record is not None:
                queue = self._grown(queue, lease, record, say)
            recorder = tracking.open_recorder(self.place.tracking_uri)
            experiment_id, run_id = self._run(queue, recorder, record)
            if record is None and known is not None:
                queue.set_known(known)
            self._started(queue, record, experiment_id, run_id)
            confirm_queue = self._open_confirm_queue(queue)
            self._propose(queue)
        except BaseException:
            lease.leave("left")
            raise
        opened = self._opened(queue, recorder, experiment_id, run_id, is_resumed=record is not None)
        return replace(opened, lease=lease, confirm_queue=confirm_queue)

    # ---- the process that decides ----

    def _grown(self, queue: Queue, lease: SweepLease, record: SearchRecord, say: Callable[[str], None]) -> Queue:
        """Let the search grow as the file says; returns its queue, which knows the new space."""
        grown = self.growth(record)
        if not grown.changes:
            return queue
        grow_search(queue, lease, self.sweep, self.whole, record, grown, say)
        return queue_of(self.sweep)

    def _first_attributes(self) -> dict[str, Any]:
        """What says of a study whose it is."""
        of_stage = {tags.STAGE: self.stage.as_kept()} if self.stage is not None else {}
        of_contest = {tags.CONTEST: self.contestants.plain} if self.contestants is not None else {}
        return {SPEC_KEY: recorded(self.whole), **of_stage, **of_contest}

    def _run(self, queue: Queue, recorder: Recorder, record: SearchRecord | None) -> tuple[str, str]:
        """The sweep's run, made or resumed; returns the ids of its experiment and of itself."""
        outer = self.asked.outer
        if outer is not None:  # MLflow writes the address of a project as it was given
            recorder.log(outer.run_id, tags={key: masked(text) for key, text in outer.tags.items() if is_secret(text)})
        queue.set_attribute(SPEC_KEY, recorded(self.whole))
        if self.asked.rows or queue.attribute(tags.ROWS, {}):
            queue.set_attribute(tags.ROWS, dict(self.asked.rows))
        run = SweepRun(
            sweep=self.sweep,
            whole=self.whole,
            study=self.study,
            place=self.place,
            data_digest=self.asked.data_digest,
            code_digests=self._code_digests(record),
            stage_of=self.stage.of_run_id if self.stage is not None else None,
            contestants=self.contestants,
            growths=queue.attribute(tags.GROWN, []),
        )
        if record is not None:
            experiment_id, run_id = str(record.attributes[tags.EXPERIMENT_ID]), str(record.attributes[tags.RUN_ID])
            run.resume(recorder, run_id)
            if outer is not None and outer.run_id != run_id:
                mark_continuation(recorder, outer, experiment_id, run_id, self.sweep.name)
            return experiment_id, run_id
        opening: dict[str, Any] = queue.attribute(tags.OPENING, {})
        if outer is not None and self._becomes_ours(outer, opening):
            experiment_id, run_id, is_outer = outer.experiment_id, outer.run_id, True
        else:
            experiment_id = opening.get("experiment_id") or self._experiment()
            run_id, is_outer = opening.get("run_id") or recorder.new_run_id(), False
        queue.set_attribute(tags.OPENING, {"experiment_id": experiment_id, "run_id": run_id})
        parent_id = outer.run_id if outer is not None else None
        return experiment_id, run.open(recorder, experiment_id, run_id, is_outer=is_outer, parent_id=parent_id)

    def _becomes_ours(self, outer: tracking.FoundRun, opening: Mapping[str, Any]) -> bool:
        """Whether the run that MLflow opened is to be the sweep's: not where it is something else already."""
        is_free = tags.ROLE not in outer.tags or outer.run_id == opening.get("run_id")
        return is_free and self.contestants is None

    def _experiment(self) -> str:
        if self.experiment_id is not None:
            return self.experiment_id
        return tracking.experiment_id(self.place.tracking_uri, default_name=self.sweep.experiment)

    def _code_digests(self, record: SearchRecord | None) -> list[str]:
        """Of each session without repeats; that of the newest one comes last."""
        before = record.attributes.get(tags.CODE_DIGESTS, []) if record is not None else []
        now = self.asked.code.digest
        return [*(one for one in before if one != now), now]

    def _started(self, queue: Queue, record: SearchRecord | None, experiment_id: str, run_id: str) -> None:
        """Say that the sweep has been started: its run's id comes last."""
        for key, value in (
            (tags.EXPERIMENT_ID, experiment_id),
            (tags.DATA_DIGEST, self.asked.data_digest),
            (tags.CODE_DIGESTS, self._code_digests(record)),
            *([(tags.CODE_FILES, dict(self.asked.code.files))] if self.asked.code.files else []),
            (tags.RUN_ID, run_id),
        ):
            queue.set_attribute(key, value)

    def _open_confirm_queue(self, queue: Queue) -> Queue | None:
        """Said in the search first: a process that is killed in between finds that the study is its own."""
        if self.sweep.confirm is None:
            return None
        queue.set_attribute(CONFIRM_STUDY, self.sweep.confirm_name)
        confirm_queue = confirm_queue_of(self.sweep, create=True)
        if confirm_queue is not None:
            confirm_queue.set_attribute(SPEC_KEY, recorded(self.sweep))
            confirm_queue.set_attribute(tags.CONFIRMATION_OF, self.sweep.name)
        return confirm_queue

    def _propose(self, queue: Queue) -> None:
        """The first conditions."""
        if self.contestants is None:
            queue.enqueue(self.sweep.n_trials, self.sweep.enqueue)
        elif not queue.counts().total:  # all of them are added in one transaction
            labels = [{tags.CONTESTANT: label} for label in self.contestants.labels]
            queue.add(self.contestants.conditions, labels)

    # ---- a process that helps ----

    def _join(self, queue: Queue, say: Callable[[str], None]) -> Opened:
        """Wait until the other process has started the sweep, and open it to help.

        Raises:
            StoreError: it did not start it in time.
        """
        deadline = time.monotonic() + LEASE_SECONDS
        name = self.sweep.name
        while (record := started_record(self.sweep.storage, name)) is None:
            if time.monotonic() > deadline:
                raise StoreError(
                    f"sweep '{name}': another process is starting it and makes no progress; try again later"
                )
            time.sleep(LOOK_SECONDS)
        check_joined(name, self.growth(record))
        deciding = queue.lease("").deciding_now()
        who = deciding.holder if deciding is not None else "another process"
        say(f"sweep {name} is run by {who} already: this process helps until nothing is left")
        recorder = tracking.open_recorder(self.place.tracking_uri)
        experiment_id, run_id = str(record.attributes[tags.EXPERIMENT_ID]), str(record.attributes[tags.RUN_ID])
        outer = self.asked.outer
        if outer is not None and outer.run_id != run_id:
            mark_continuation(recorder, outer, experiment_id, run_id, name)
            recorder.flush()
        return self._opened(queue, recorder, experiment_id, run_id, is_resumed=True)

    def _opened(self, queue: Queue, recorder: Recorder, experiment_id: str, run_id: str, *, is_resumed: bool) -> Opened:
        stage = self.stage
        return Opened(
            sweep=self.sweep,
            study=self.study,
            queue=queue,
            confirm_queue=confirm_queue_of(self.sweep),
            recorder=recorder,
            tracking_uri=self.place.tracking_uri,
            experiment_id=experiment_id,
            sweep_run_id=run_id,
            root=self.place.root,
            lease=queue.lease(new_worker_id()),
            earlier_stage=stage.earlier if stage is not None else None,
            keeps_states=stage.keeps_states if stage is not None else keeps_states(self.whole, 0, self.study),
            labels=self.contestants.labels if self.contestants is not None else (),
            question=self.place.question,
            is_resumed=is_resumed,
            data_digest=self.asked.data_digest,
            growths=queue.attribute(tags.GROWN, []),
        )
