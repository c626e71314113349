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

from rothamsted import tracking
from rothamsted.errors import ResumeError
from rothamsted.search import SearchRecord, check_storage, find_search
from rothamsted.search.storage import SPEC_KEY
from rothamsted.spec import PLACE_KEYS, Sweep, difference, grown_only, resolved
from rothamsted.study import Study, source_tags, study_tags
from rothamsted.sweep import tags
from rothamsted.sweep.context import SweepContext, config_of, queue_of
from rothamsted.sweep.trial import now_ms


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
    data_digest = digest_of_data(sweep, study)
    uri = tracking.tracking_uri()
    tracking.check_reachable(uri)
    check_storage(sweep.storage)
    record = find_search(sweep.storage, sweep.name)
    if record is not None:
        check_same(sweep, record, data_digest)
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
        if outer is not None and outer != run_id:
            _mark_continuation(recorder, outer, experiment_id, run_id, sweep.name)
    else:
        experiment_id = tracking.experiment_id(uri, default_name=sweep.experiment)
        run_id = _open_sweep_run(recorder, sweep, study, experiment_id, outer, root, source, data_digest)
    recorder.flush()
    for key, value in (
        (SPEC_KEY, resolved(sweep)),
        (tags.EXPERIMENT_ID, experiment_id),
        (tags.DATA_DIGEST, data_digest),
        (tags.RUN_ID, run_id),
    ):
        queue.set_attribute(key, value)
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
            "another name (-P name=...), or undo the change; trials and timeout may grow, execution may change"
        )
    before = record.attributes.get(tags.DATA_DIGEST)
    if before != data_digest and tags.RUN_ID in record.attributes:
        raise ResumeError(
            f"sweep '{sweep.name}' was started on other data (digest {str(before)[:12]}, now "
            f"{str(data_digest)[:12]}): its replicates would not be comparable. Give the sweep another name"
        )


def _content(spec: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.items() if key not in PLACE_KEYS}
    return json.loads(json.dumps(kept))


def _open_sweep_run(
    recorder: tracking.Recorder,
    sweep: Sweep,
    study: Study,
    experiment_id: str,
    outer: str | None,
    root: Path,
    source: str,
    data_digest: str | None,
) -> str:
    """MLflow's own outer run is the sweep run where there is one."""
    run_tags = {
        tags.ROLE: "sweep",
        tags.SWEEP: sweep.name,
        **study_tags(study, data_digest),
        **source_tags(root),
        "rothamsted.host": socket.gethostname(),
    }
    params = {
        "sweep": sweep.name,
        "study": str(sweep.study),
        "sampler": sweep.sampler.name,
        "n_replicates": str(len(sweep.replicates.values)),
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


def _mark_continuation(recorder: tracking.Recorder, outer: str, experiment_id: str, run_id: str, name: str) -> None:
    link = tracking.run_path(experiment_id, run_id)
    recorder.log(outer, tags={tags.ROLE: "continuation", tags.SWEEP: name, tags.CONTINUES: run_id})
    recorder.set_description(outer, f"Goes on with sweep **{name}**: [its run]({link})\n")
