"""A duel: given conditions, trained on common seeds by warm workers, to be compared in pairs.

Apart from sweeps, because nothing is searched: the contestants are given, may differ in any field, and need no
common search space. Apart from whoever compares them, because it only trains: queue, workers, checkpoints and
resume are those of a sweep, with a name, an Optuna study and a run of its own.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from rothamsted import tags, tracking
from rothamsted.analysis.ranking import members_of
from rothamsted.analysis.read_search import read_search
from rothamsted.errors import ResumeError, SpecError, StoreError, StudyError
from rothamsted.mlproject import find_root
from rothamsted.search import SearchRecord, check_storage, find_search
from rothamsted.search.storage import SPEC_KEY
from rothamsted.spec import PLACE_KEYS, Execution, Objective, Sweep, difference, from_resolved, resolved
from rothamsted.study import Study, digest_of_data, set_fields, source_tags, study_tags
from rothamsted.study.source_code import code_digest
from rothamsted.sweep.coordinator.coordinator import INTERRUPTED, Coordinator
from rothamsted.sweep.open.from_file import find_study
from rothamsted.sweep.opened import SweepContext, queue_of
from rothamsted.sweep.trial_summary import now_ms

Config = Mapping[str, Any]  # dotted field of a study's config -> value, without the seed


@dataclass(frozen=True, kw_only=True)
class Duel:
    """What is to be trained.

    Attributes:
        sweep: the contestants as one sweep: what they have in common is fixed, where they differ is a choice.
        conditions: of each contestant, its fields among those that differ.
        labels: what each is called; a name of a run and a tag.
        study: of all.
        data_digest: of the data that they train on; several joined by +.
    """

    sweep: Sweep
    conditions: Sequence[Config]
    labels: Sequence[str]
    study: Study
    data_digest: str | None

    @property
    def plain(self) -> dict[str, Any]:
        """What must be the same when it goes on, as JSON holds it."""
        spec = {key: value for key, value in resolved(self.sweep).items() if key not in PLACE_KEYS}
        contestants = {"contestants": list(self.conditions), "labels": list(self.labels)}
        return json.loads(json.dumps({**spec, **contestants, "data_digest": self.data_digest}))


def run_duel(
    *,
    name: str,
    study: str,
    contestants: Sequence[Config],
    labels: Sequence[str],
    seeds: Sequence[int],
    objective: Objective,
    storage: str,
    experiment_id: str,
    root: Path,
    tracking_uri: str,
    console: Console,
    models: bool = True,
    execution: Execution = Execution(),  # noqa: B008  (frozen)
    level: float = 0.95,
) -> list[list[str]]:
    """Train every contestant on every seed, or go on with it under the same name.

    Args:
        name: of the duel, as a sweep has one; the name of no sweep in the storage.
        study: entry point of MLproject.
        contestants: configs, which may differ in any field; a field that one lacks has its default there.
        labels: what each contestant is called.
        seeds: the same for all, in the order of the answer.
        objective: what each replicate's single number is.
        storage: database URL of the queue.
        experiment_id: MLflow's folder for the runs.
        root: of the MLflow project, in or below which this process runs, as its workers will.
        tracking_uri: where runs go.
        console: for progress and result.
        models: log the trained model of every replicate.
        execution: workers, population, retries, time limits.
        level: coverage of the intervals that are written down.

    Returns:
        For each contestant the run ids of its replicates, in the order of the seeds; of those that diverged or
        failed, too.

    Raises:
        SpecError: contestants, labels or seeds that do not hold together.
        StudyError: no such study, a config that it refuses, or workers that cannot start.
        StoreError: a store that cannot be used, or a sweep of this name.
        ResumeError: a duel of this name with other contents.
        KeyboardInterrupt: stopped by a signal; call again to go on.
    """
    duel = _duel(
        name, study, contestants, labels, seeds, root, objective=objective, storage=storage, execution=execution,
        models=models, level=level,
    )  # fmt: skip
    context, is_resumed = _start(duel, experiment_id=experiment_id, root=root, tracking_uri=tracking_uri)
    try:
        status = Coordinator(context=context, is_resumed=is_resumed, question="", console=console).run()
        found = read_search(context.queue, context.sweep)
    finally:
        context.recorder.close()
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status or not found.is_complete:
        raise StudyError(f"duel {name}: its workers cannot run (see above); mend that and give the same command again")
    members = [sorted(of, key=lambda one: one.number) for of in members_of(found).values()]
    return [[one.run_id for one in of] for of in members]


def _duel(
    name: str,
    study_name: str,
    contestants: Sequence[Config],
    labels: Sequence[str],
    seeds: Sequence[int],
    root: Path,
    *,
    objective: Objective,
    storage: str,
    execution: Execution,
    models: bool,
    level: float,
) -> Duel:
    """Check everything that can be checked without a store."""
    place = f"duel {name}"
    study = find_study(study_name, root)
    configs: list[Config] = [json.loads(json.dumps(dict(config))) for config in contestants]
    _check_labels(place, labels, len(configs))
    digests = _check_configs(place, study, configs, labels, seeds)
    if find_root() != root.resolve():
        raise StudyError(f"{place}: workers start in {Path.cwd()}, which is not in the project {root}; go there first")
    common, space = _split(configs)
    plain = {
        "name": name,
        "study": study_name,
        "parameters": common,
        "space": space,
        "objective": objective.model_dump(),
        "sampler": {"name": "random" if space else "grid"},  # a queue of given conditions: nothing is proposed
        "trials": len(configs) if space else None,
        "replicates": {"seeds": [int(seed) for seed in seeds]},
        "models": "all" if models else "none",
        "execution": execution.model_dump(),
        "statistics": {"level": level},
        "storage": storage,
    }
    try:
        sweep = from_resolved(plain)
    except SpecError as error:
        raise SpecError(f"{place}: {str(error).removeprefix('recorded sweep: ')}") from error
    conditions = [{field: config[field] for field in space if field in config} for config in configs]
    digest = "+".join(digests) or None
    return Duel(sweep=sweep, conditions=conditions, labels=tuple(labels), study=study, data_digest=digest)


def _check_labels(place: str, labels: Sequence[str], n_contestants: int) -> None:
    if not n_contestants or len(labels) != n_contestants:
        raise SpecError(f"{place}: {n_contestants} contestants and {len(labels)} labels; give one label a contestant")
    if len(set(labels)) < len(labels) or not all(labels):
        raise SpecError(f"{place}: labels must differ and not be empty, not {', '.join(map(repr, labels))}")


def _check_configs(
    place: str, study: Study, configs: Sequence[Config], labels: Sequence[str], seeds: Sequence[int]
) -> list[str]:
    """Let the study judge every contestant, none of which may be another; returns the digests of their data."""
    if not seeds:
        raise SpecError(f"{place}: has no seeds; give at least one")
    made, digests = [], []
    for label, config in zip(labels, configs, strict=True):
        if "seed" in config:
            raise SpecError(f"{place}: {label} has a seed of its own, {config['seed']!r}; leave it to seeds")
        made.append(set_fields(study.config, {**config, "seed": int(seeds[0])}, place=f"{place}, {label}"))
        if made[-1] in made[:-1]:
            twin = labels[made.index(made[-1])]
            raise SpecError(f"{place}: {label} is the same as {twin}, field by field; remove one")
        digests.append(digest_of_data(study, made[-1]))
    return sorted({digest for digest in digests if digest is not None})


def _split(configs: Sequence[Config]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The fields in which all agree, and of each other field the values that it has, each once."""
    common: dict[str, Any] = {}
    space: dict[str, list[Any]] = {}
    for field in dict.fromkeys(field for config in configs for field in config):
        values = [config[field] for config in configs if field in config]
        different = list({json.dumps(value, sort_keys=True): value for value in values}.values())
        if len(different) == 1 and len(values) == len(configs):
            common[field] = different[0]
        else:
            space[field] = different
    return common, space


def _start(duel: Duel, *, experiment_id: str, root: Path, tracking_uri: str) -> tuple[SweepContext, bool]:
    """Create queue and run as far as they are missing; also whether it was there before."""
    sweep = duel.sweep
    tracking.check_reachable(tracking_uri)
    check_storage(sweep.storage)
    record = find_search(sweep.storage, sweep.name)
    if record is not None:
        _check_same(duel, record)
    attributes: Mapping[str, Any] = record.attributes if record is not None else {}
    tracking.migrate(tracking_uri)
    queue = queue_of(sweep, create=True)
    queue.set_attribute(SPEC_KEY, resolved(sweep))  # at once: killed after this, it is known as what it is
    queue.set_attribute(tags.DUEL, duel.plain)
    recorder = tracking.open_recorder(tracking_uri)
    digests = list(dict.fromkeys([*attributes.get(tags.CODE_DIGESTS, []), code_digest(str(sweep.study), root)]))
    run_id = attributes.get(tags.RUN_ID) or _run_of(sweep.name, experiment_id, tracking_uri)
    if run_id is None:
        run_id = _open_run(recorder, duel, experiment_id, root)
    else:
        recorder.resume_run(run_id)
    recorder.log(run_id, tags={tags.CODE_DIGEST: "+".join(digests)})
    recorder.flush()
    recorder.log_text(run_id, json.dumps(duel.plain, indent=2) + "\n", "duel/resolved.json")
    for key, value in (
        (tags.EXPERIMENT_ID, experiment_id),
        (tags.DATA_DIGEST, duel.data_digest),
        (tags.CODE_DIGESTS, digests),
        (tags.RUN_ID, run_id),
    ):
        queue.set_attribute(key, value)
    if not queue.counts().total:  # all of them are added in one transaction
        queue.add(duel.conditions, [{tags.CONTESTANT: label} for label in duel.labels])
    context = SweepContext(
        sweep=sweep,
        study=duel.study,
        queue=queue,
        recorder=recorder,
        tracking_uri=tracking_uri,
        experiment_id=experiment_id,
        sweep_run_id=run_id,
        root=root,
        phase="duel",
    )
    return context, tags.RUN_ID in attributes


def _check_same(duel: Duel, record: SearchRecord) -> None:
    name = duel.sweep.name
    if tags.DUEL not in record.attributes and tags.RUN_ID in record.attributes:
        raise StoreError(f"duel {name}: there is a sweep of this name in {duel.sweep.storage}; give it another name")
    lines = difference(record.attributes.get(tags.DUEL, duel.plain), duel.plain)
    if lines:
        raise ResumeError(
            f"duel {name}: was started before with other contents: {'; '.join(lines)}. Give it another name, or undo "
            "the change; only execution may change"
        )


def _run_of(name: str, experiment_id: str, tracking_uri: str) -> str | None:
    """The run that a process opened and had no time to note, before it was killed."""
    found = tracking.find_runs([experiment_id], {tags.ROLE: "duel", tags.SWEEP: name}, uri=tracking_uri)
    return next((run.run_id for run in found if run.status == "RUNNING"), None)


def _open_run(recorder: tracking.Recorder, duel: Duel, experiment_id: str, root: Path) -> str:
    """The duel's run, below the one of the command that asked for it."""
    sweep = duel.sweep
    return recorder.open_run(
        experiment_id=experiment_id,
        name=sweep.name,
        parent_id=tracking.current_run_id(),
        tags={
            tags.ROLE: "duel",
            tags.PHASE: "duel",
            tags.SWEEP: sweep.name,
            **study_tags(duel.study, duel.data_digest),
            **source_tags(root),
            "rothamsted.host": socket.gethostname(),
        },
        params={
            "study": str(sweep.study),
            "contestants": ", ".join(duel.labels),
            "seeds": ", ".join(map(str, sweep.replicates.values)),
            "objective": f"{sweep.objective.direction} {sweep.objective.metric}",
        },
        start_ms=now_ms(),
    )
