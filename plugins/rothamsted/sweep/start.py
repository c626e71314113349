"""Starting a sweep, or going on with it: everything is checked before anything is created.

Apart from the coordinator because this is where every mistake of a user must surface, in one line.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rothamsted import tags, tracking
from rothamsted.errors import ResumeError, StoreError
from rothamsted.search import Queue, SearchRecord, check_storage, find_search
from rothamsted.search.storage import SPEC_KEY
from rothamsted.spec import PLACE_KEYS, Sweep, difference, grown_only, resolved
from rothamsted.study import Study, source_tags, study_tags
from rothamsted.sweep.code import code_digest
from rothamsted.sweep.context import SweepContext, config_of, confirm_queue_of, queue_of
from rothamsted.sweep.trial import now_ms

CONFIRM_STUDY = "rothamsted:confirm_study"


@dataclass(frozen=True, kw_only=True)
class Started:
    """A sweep that is ready for workers."""

    context: SweepContext
    is_resumed: bool


def start_sweep(sweep: Sweep, study: Study, *, root: Path, source: str) -> Started:
    """Check everything, then create what is missing: experiment, sweep run, Optuna study, trials.

    Args:
        sweep: the validated sweep file.
        study: its study.
        root: the MLflow project's root.
        source: the path of the sweep file, for the record.

    Raises:
        UserError: with one line, before anything has been created in either database.
    """
    data_digest, digest_of_code = digest_of_data(sweep, study), code_digest(sweep.study, root)
    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    check_storage(sweep.storage)
    record = find_search(sweep.storage, sweep.name)
    if record is not None:
        check_same(sweep, record, data_digest)
    check_confirm_study(sweep, record)
    tracking.migrate(uri)
    queue = queue_of(sweep, create=True)
    recorder = tracking.open_recorder(uri)
    outer = tracking.current_run_id()
    is_resumed = record is not None and tags.RUN_ID in record.attributes
    if is_resumed and record is not None:
        experiment_id, run_id = (
            str(record.attributes[tags.EXPERIMENT_ID]),
            str(record.attributes[tags.RUN_ID]),
        )
        recorder.resume_run(run_id)
        code_digests = list(dict.fromkeys([*record.attributes.get(tags.CODE_DIGESTS, []), digest_of_code]))
        recorder.log(run_id, tags={tags.CODE_DIGEST: "+".join(code_digests)})
        if outer is not None and outer != run_id:
            _mark_continuation(recorder, outer, experiment_id, run_id, sweep.name)
    else:
        experiment_id = tracking.experiment_id(uri, default_name=sweep.experiment)
        code_digests = [digest_of_code]
        run_id = _open_sweep_run(
            recorder, sweep, study, experiment_id, outer, root, source, data_digest, digest_of_code
        )
    recorder.flush()
    for key, value in (
        (SPEC_KEY, resolved(sweep)),
        (tags.EXPERIMENT_ID, experiment_id),
        (tags.DATA_DIGEST, data_digest),
        (tags.CODE_DIGESTS, code_digests),
        (tags.RUN_ID, run_id),
    ):
        queue.set_attribute(key, value)
    if sweep.confirm is not None:
        _open_confirm_study(sweep, queue)
    queue.enqueue(sweep.n_trials)
    context = SweepContext(
        sweep=sweep,
        study=study,
        queue=queue,
        recorder=recorder,
        tracking_uri=uri,
        experiment_id=experiment_id,
        sweep_run_id=run_id,
        root=root,
    )
    return Started(context=context, is_resumed=is_resumed)


def digest_of_data(sweep: Sweep, study: Study) -> str | None:
    """The digest of the data that the first condition trains on; a file that is missing shows here."""
    if study.data_digest is None:
        return None
    _, condition = next(sweep.search_space.probes(), ("", {}))
    return study.data_digest(config_of(study, sweep, condition, sweep.replicates.values[0]))


def check_same(sweep: Sweep, record: SearchRecord, data_digest: str | None) -> None:
    """Refuse to go on if the sweep file or the data have changed, unless only the budget grew.

    Raises:
        ResumeError: with the difference.
    """
    old, new = _content(record.spec), _content(resolved(sweep))
    if old != new and not grown_only(old, new):
        lines = "; ".join(difference(old, new))
        raise ResumeError(
            f"sweep '{sweep.name}' was started before with other contents: {lines}. Give the changed sweep "
            f"another name (-P name=...), or undo the change; {_may_change(sweep)}, execution may change"
        )
    before = record.attributes.get(tags.DATA_DIGEST)
    if before != data_digest and tags.RUN_ID in record.attributes:
        raise ResumeError(
            f"sweep '{sweep.name}' was started on other data (digest {str(before)[:12]}, now "
            f"{str(data_digest)[:12]}): its replicates would not be comparable. Give the sweep another name"
        )


def check_confirm_study(sweep: Sweep, record: SearchRecord | None) -> None:
    """Refuse to confirm into an Optuna study that is somebody else's.

    Raises:
        StoreError: there is one of that name, and it is not this sweep's.
    """
    if sweep.confirm is None or (record is not None and CONFIRM_STUDY in record.attributes):
        return
    if find_search(sweep.storage, sweep.confirm_name) is not None:
        raise StoreError(
            f"storage {sweep.storage}: holds a study called '{sweep.confirm_name}' already, the name of this sweep's "
            "confirmation; give the sweep another name, or another -P storage="
        )


def _open_confirm_study(sweep: Sweep, queue: Queue) -> None:
    """Said in the search first: a sitting that is killed in between finds that the study is its own."""
    queue.set_attribute(CONFIRM_STUDY, sweep.confirm_name)
    confirm_queue = confirm_queue_of(sweep, create=True)
    confirm_queue.set_attribute(SPEC_KEY, resolved(sweep))
    confirm_queue.set_attribute(tags.CONFIRMATION_OF, sweep.name)


def _content(spec: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.items() if key not in PLACE_KEYS}
    return json.loads(json.dumps(kept))


def _may_change(sweep: Sweep) -> str:
    is_race = sweep.replicates.racing is not None
    return "timeout may grow, but a race keeps its conditions" if is_race else "trials and timeout may grow"


def _open_sweep_run(
    recorder: tracking.Recorder,
    sweep: Sweep,
    study: Study,
    experiment_id: str,
    outer: str | None,
    root: Path,
    source: str,
    data_digest: str | None,
    digest_of_code: str,
) -> str:
    """MLflow's own outer run is the sweep run where there is one."""
    run_tags = {
        tags.ROLE: "sweep",
        tags.SWEEP: sweep.name,
        **study_tags(study, data_digest),
        tags.CODE_DIGEST: digest_of_code,
        **source_tags(root),
        "rothamsted.host": socket.gethostname(),
    }
    params = {
        "sweep": sweep.name,
        "study": str(sweep.study),
        "sampler": sweep.sampler.name,
        "n_replicates": _n_replicates(sweep),
        "objective": f"{sweep.objective.direction} {sweep.objective.metric}",
        **{key: str(value) for key, value in sweep.parameters.items()},
    }
    if outer is not None:
        recorder.log(outer, params=params, tags=run_tags)
        run_id = outer
    else:
        run_id = recorder.open_run(
            experiment_id=experiment_id, name=sweep.name, tags=run_tags, params=params, start_ms=now_ms()
        )
    recorder.flush()
    recorder.log_text(run_id, json.dumps(resolved(sweep), indent=2) + "\n", "sweep/resolved.json")
    recorder.log_text(run_id, tracking.environment_text(), "sweep/environment.txt")
    if Path(source).is_file():
        recorder.log_file(run_id, Path(source), "sweep")
    return run_id


def _n_replicates(sweep: Sweep) -> str:
    racing = sweep.replicates.racing
    return str(len(sweep.replicates.values)) if racing is None else f"racing, {racing.min} to {racing.max}"


def _mark_continuation(recorder: tracking.Recorder, outer: str, experiment_id: str, run_id: str, name: str) -> None:
    link = tracking.run_path(experiment_id, run_id)
    recorder.log(outer, tags={tags.ROLE: "continuation", tags.SWEEP: name, tags.CONTINUES: run_id})
    recorder.set_description(outer, f"Goes on with sweep **{name}**: [its run]({link})\n")
