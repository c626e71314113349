"""Starting a sweep, or going on with it: everything is checked before anything is created.

Apart from the coordinator because this is where every mistake of a user must surface, in one line.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from rothamsted import tags, tracking
from rothamsted.search import Queue, SearchRecord, check_storage, find_search
from rothamsted.search.storage import SPEC_KEY
from rothamsted.space import Choice
from rothamsted.spec import Sweep, resolved
from rothamsted.study import Study, digest_of_data, source_tags, study_tags
from rothamsted.study.source_code import code_digest
from rothamsted.sweep.foreign_study import ForeignStudy
from rothamsted.sweep.open.growth import CONFIRM_STUDY, check_confirm_study, check_later_stages, check_same
from rothamsted.sweep.open.warm_start import known_from
from rothamsted.sweep.opened import SweepContext, confirm_queue_of, open_context, queue_of, stage_config
from rothamsted.sweep.stage import LaterStage, first_stage, keeps_states
from rothamsted.sweep.trial_summary import now_ms


@dataclass(frozen=True, kw_only=True)
class Started:
    """A sweep that is ready for workers."""

    context: SweepContext
    is_resumed: bool


def start_sweep(
    sweep: Sweep, study: Study | ForeignStudy, *, root: Path, source: str, stage: LaterStage | None = None
) -> Started:
    """Check everything, then create what is missing: experiment, sweep run, Optuna study, trials.

    Args:
        sweep: the validated sweep file; with stages it is the first of them that is started.
        study: what it trains.
        root: the MLflow project's root.
        source: the path of the sweep file, for the record.
        stage: where this is a later stage of another sweep.

    Raises:
        UserError: with one line, before anything has been created in either database.
    """
    whole, sweep = sweep, first_stage(sweep)
    checked = _check(whole, study, root)
    record, data_digest, digest_of_code, uri = checked.record, checked.data_digest, checked.digest_of_code, checked.uri
    is_resumed = record is not None and tags.RUN_ID in record.attributes
    known = None if is_resumed else known_from(sweep)
    tracking.migrate(uri)
    queue = queue_of(sweep, create=True)
    queue.set_attribute(SPEC_KEY, resolved(whole))  # first of all: a sitting that is killed here can go on
    if stage is not None:
        queue.set_attribute(tags.STAGE, stage.as_kept())
    recorder = tracking.open_recorder(uri)
    outer = tracking.current_run_id() if stage is None else None
    if is_resumed and record is not None:
        experiment_id, run_id = _ids(record)
        recorder.resume_run(run_id)
        code_digests = list(dict.fromkeys([*record.attributes.get(tags.CODE_DIGESTS, []), digest_of_code]))
        recorder.log(run_id, tags={tags.CODE_DIGEST: "+".join(code_digests)})
        if outer is not None and outer != run_id:
            _mark_continuation(recorder, outer, experiment_id, run_id, sweep.name)
    else:
        experiment_id = tracking.experiment_id(uri, default_name=sweep.experiment)
        code_digests = [digest_of_code]
        opening = _Opening(
            sweep=sweep,
            whole=whole,
            study=study,
            root=root,
            source=source,
            outer=outer,
            stage=stage,
            data_digest=data_digest,
            digest_of_code=digest_of_code,
        )
        run_id = opening.open(recorder, experiment_id)
    recorder.flush()
    if known is not None:
        queue.set_known(known)  # before the run's id, which says that the sweep has been started
    for key, value in (
        (tags.EXPERIMENT_ID, experiment_id),
        (tags.DATA_DIGEST, data_digest),
        (tags.CODE_DIGESTS, code_digests),
        (tags.RUN_ID, run_id),
    ):
        queue.set_attribute(key, value)
    if sweep.confirm is not None:
        _open_confirm_study(sweep, queue)
    queue.enqueue(sweep.n_trials, sweep.enqueue)
    context = SweepContext(
        sweep=sweep,
        study=study,
        queue=queue,
        recorder=recorder,
        tracking_uri=uri,
        experiment_id=experiment_id,
        sweep_run_id=run_id,
        root=root,
        earlier_stage=stage.earlier if stage is not None else None,
        keeps_states=stage.keeps_states if stage is not None else keeps_states(whole, 0, study),
    )
    return Started(context=context, is_resumed=is_resumed)


def digest_of_target(sweep: Sweep, study: Study | ForeignStudy, root: Path) -> str:
    """SHA-256 of the source files of what is trained."""
    return study.code_digest if isinstance(study, ForeignStudy) else code_digest(str(sweep.study), root)


def digest_of_first_data(sweep: Sweep, study: Study | ForeignStudy) -> str | None:
    """The digest of the data that the first condition trains on; a file that is missing shows here.

    The data of all stages and of each value of every choice are asked for, since a choice may name a file. None where
    nobody can say: a foreign project keeps its data to itself.

    Raises:
        DataError: The study says in its own words why the data cannot be used.
    """
    if isinstance(study, ForeignStudy):
        return None
    space = sweep.search_space
    probes = list(space.probes()) or [("", {})]
    conditions = [probes[0][1], *(values for name, values in probes[1:] if isinstance(space.domains[name], Choice))]
    n_stages = max(len(sweep.stages), 1)
    configs = [stage_config(study, sweep, stage, condition) for condition in conditions for stage in range(n_stages)]
    first, *_ = [digest_of_data(study, config) for config in configs]
    return first


def reopen_passed(
    sweep: Sweep, study: Study | ForeignStudy, *, root: Path, stage: LaterStage | None = None
) -> SweepContext | None:
    """A stage whose next one has been decided: nothing of it is run or written again. None: it is not there yet.

    Args:
        sweep: the first stage with all that follow, or a later one.
        study: what it trains.
        root: the MLflow project's root.
        stage: where it is a later one.

    Raises:
        UserError: as `start_sweep`.
    """
    check_storage(sweep.storage)
    found = find_search(sweep.storage, sweep.name)
    if found is None or tags.NEXT_STAGE not in found.attributes:
        return None
    checked = _check(sweep, study, root)
    context = open_context(
        sweep.name, sweep.storage, root=root, find_target=lambda whole: study, tracking_uri=checked.uri
    )
    outer = tracking.current_run_id() if stage is None else None
    if outer is not None and outer != context.sweep_run_id:
        _mark_continuation(context.recorder, outer, context.experiment_id, context.sweep_run_id, sweep.name)
    return context


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """What was found while everything was checked."""

    record: SearchRecord | None
    data_digest: str | None
    digest_of_code: str
    uri: str


def _check(whole: Sweep, study: Study | ForeignStudy, root: Path) -> _Checked:
    """Everything that can be wrong; creates nothing."""
    data_digest, digest_of_code = digest_of_first_data(whole, study), digest_of_target(whole, study, root)
    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    check_storage(whole.storage)
    record = find_search(whole.storage, whole.name)
    if record is not None:
        check_same(whole, record, data_digest)
    if not whole.stages:
        check_confirm_study(whole, record)
    check_later_stages(whole, record)
    return _Checked(record=record, data_digest=data_digest, digest_of_code=digest_of_code, uri=uri)


def _ids(record: SearchRecord) -> tuple[str, str]:
    """Of the experiment and the run."""
    return str(record.attributes[tags.EXPERIMENT_ID]), str(record.attributes[tags.RUN_ID])


def _open_confirm_study(sweep: Sweep, queue: Queue) -> None:
    """Said in the search first: a sitting that is killed in between finds that the study is its own."""
    queue.set_attribute(CONFIRM_STUDY, sweep.confirm_name)
    confirm_queue = confirm_queue_of(sweep, create=True)
    confirm_queue.set_attribute(SPEC_KEY, resolved(sweep))
    confirm_queue.set_attribute(tags.CONFIRMATION_OF, sweep.name)


@dataclass(frozen=True, kw_only=True)
class _Opening:
    """All that a sweep's run is opened with."""

    sweep: Sweep
    whole: Sweep  # with its stages
    study: Study | ForeignStudy
    root: Path
    source: str
    outer: str | None
    stage: LaterStage | None
    data_digest: str | None
    digest_of_code: str

    def open(self, recorder: tracking.Recorder, experiment_id: str) -> str:
        """Open the run; MLflow's own outer run is the sweep run where there is one."""
        if self.outer is not None:
            recorder.log(self.outer, params=self._params(), tags=self._tags())
            run_id = self.outer
        else:
            run_id = recorder.open_run(
                experiment_id=experiment_id,
                name=self.sweep.name,
                parent_id=self.stage.of_run_id if self.stage is not None else None,
                tags=self._tags(),
                params=self._params(),
                start_ms=now_ms(),
            )
        recorder.flush()
        recorder.log_text(run_id, json.dumps(resolved(self.whole), indent=2) + "\n", "sweep/resolved.json")
        recorder.log_text(run_id, tracking.environment_text(), "sweep/environment.txt")
        if Path(self.source).is_file():
            recorder.log_file(run_id, Path(self.source), "sweep")
        return run_id

    def _tags(self) -> dict[str, str]:
        own = source_tags(self.root)
        if isinstance(self.study, ForeignStudy):
            own |= {tags.STUDY: self.study.name} | self.study.source_tags()
        else:
            own |= study_tags(self.study, self.data_digest)
        return {
            tags.ROLE: "sweep",
            tags.SWEEP: self.sweep.name,
            **own,
            tags.CODE_DIGEST: self.digest_of_code,
            "rothamsted.host": socket.gethostname(),
            **({tags.STAGE_OF: self.stage.of_run_id} if self.stage is not None else {}),
        }

    def _params(self) -> dict[str, str]:
        sweep = self.sweep
        return {
            "sweep": sweep.name,
            "study": self.study.name,
            "sampler": sweep.sampler.name,
            "n_replicates": _n_replicates(sweep),
            "objective": ", ".join(f"{o.direction} {o.metric}" for o in sweep.objectives),
            **{key: str(value) for key, value in sweep.parameters.items()},
        }


def _n_replicates(sweep: Sweep) -> str:
    racing = sweep.replicates.racing
    return str(len(sweep.replicates.values)) if racing is None else f"racing, {racing.min} to {racing.max}"


def _mark_continuation(recorder: tracking.Recorder, outer: str, experiment_id: str, run_id: str, name: str) -> None:
    link = tracking.run_path(experiment_id, run_id)
    recorder.log(outer, tags={tags.ROLE: "continuation", tags.SWEEP: name, tags.CONTINUES: run_id})
    recorder.set_description(outer, f"Goes on with sweep **{name}**: [its run]({link})\n")
