"""Open a contest: given conditions are trained on common seeds, so that the caller can compare them in pairs.

It is a sweep with given conditions: nothing is searched, and the contestants may differ in any field. Queue, workers,
checkpoints and resume are those of a sweep. It has its own name, Optuna study and run.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rothamsted import tags
from rothamsted.errors import ResumeError, SpecError, StoreError, StudyError
from rothamsted.mlproject import find_root
from rothamsted.search import SearchRecord
from rothamsted.space import among, identity
from rothamsted.spec import PLACE_KEYS, Execution, Growth, Objective, Sweep, difference, from_resolved, recorded
from rothamsted.studies import Study, digest_of_data, find, rows_of_shares, set_fields
from rothamsted.studies.source_code import code_digest
from rothamsted.sweeping.open.asked import Asked, TargetCode, ask_stores, started_record
from rothamsted.sweeping.open.contestants import Contestants
from rothamsted.sweeping.open.start import Opening
from rothamsted.sweeping.open.whose_search import search_of
from rothamsted.sweeping.opened import Opened, Place, with_rows

Config = Mapping[str, Any]  # dotted field of a study's config -> value, without the seed


def open_contest(
    place: Place,
    *,
    name: str,
    study: str,
    contestants: Sequence[Config],
    labels: Sequence[str],
    seeds: Sequence[int],
    objective: Objective,
    storage: str,
    experiment_id: str,
    models: bool = True,
    execution: Execution = Execution(),  # noqa: B008  (frozen)
    level: float = 0.95,
    vary: Sequence[str] = (),
) -> Opened:
    """Open a contest, or go on with it under the same name.

    Args:
        place: where it is started; this process and its workers run in or below its root.
        name: name of the contest; no sweep in the storage may have it.
        study: an entry point of MLproject.
        contestants: configs, which may differ in any field. A missing field has its default.
        labels: name of each contestant.
        seeds: seeds, the same for all contestants.
        objective: the objective, which gives each replicate's number.
        storage: database URL of the queue.
        experiment_id: MLflow's folder for the runs.
        models: whether the trained model of every replicate is logged.
        execution: workers, population, retries, time limits.
        level: coverage of the intervals that are logged.
        vary: fields that a seed sets besides the training seed, such as the data's. No contestant may set them.

    Raises:
        SpecError: contestants, labels or seeds contradict each other.
        StudyError: there is no such study, or it refuses a config.
        StoreError: a store cannot be used, or there is a sweep of this name.
        ResumeError: there is a contest of this name with other contents.
    """
    what, root = f"contest {name}", place.root
    storage = search_of(storage, name, root=root, tracking_uri=place.tracking_uri)
    found = find(study, root)
    configs = _alike([json.loads(json.dumps(dict(config))) for config in contestants])
    _check_labels(what, labels, len(configs))
    digests, rows = _check_configs(what, found, configs, labels, seeds, vary)
    if find_root() != root.resolve():
        raise StudyError(f"{what}: workers start in {Path.cwd()}, which is not in the project {root}; go there first")
    sweep, space = _as_sweep(
        configs,
        {
            "name": name,
            "study": study,
            "objective": objective.model_dump(),
            "replicates": {"seeds": [int(seed) for seed in seeds], **({"vary": list(vary)} if vary else {})},
            "models": "all" if models else "none",
            "execution": execution.model_dump(),
            "statistics": {"level": level},
            "storage": storage,
        },
    )
    conditions = [{field: config[field] for field in space if field in config} for config in configs]
    data_digest = "+".join(digests) or None
    given = Contestants(
        conditions=conditions, labels=tuple(labels), plain=_plain(sweep, conditions, labels, data_digest)
    )
    asked = Asked(
        outer=ask_stores(storage, place, default_experiment=None),
        record=_record(sweep, given),
        data_digest=data_digest,
        rows=rows,
        code=TargetCode(digest=code_digest(study, root)),
    )
    return Opening(
        sweep=sweep,
        whole=sweep,
        study=with_rows(found, rows),
        place=place,
        asked=asked,
        growth=lambda record: _check_unchanged(sweep, given, record),
        contestants=given,
        experiment_id=experiment_id,
    ).open(lambda line: None)


def _as_sweep(configs: Sequence[Config], plain: Mapping[str, Any]) -> tuple[Sweep, Collection[str]]:
    """The contest as a sweep whose conditions are given, and the fields in which the contestants differ."""
    common, space = _split(configs)
    searched = {
        "parameters": common,
        "space": space,
        "sampler": {"name": "random" if space else "grid"},  # a queue of given conditions: nothing is proposed
        "trials": len(configs) if space else None,
    }
    try:
        return from_resolved({**plain, **searched}), space
    except SpecError as error:
        raise SpecError(f"contest {plain['name']}: {str(error).removeprefix('recorded sweep: ')}") from error


def _plain(
    sweep: Sweep, conditions: Sequence[Config], labels: Sequence[str], data_digest: str | None
) -> dict[str, Any]:
    """What must be the same when it goes on, as JSON holds it."""
    spec = {key: value for key, value in recorded(sweep).items() if key not in PLACE_KEYS}
    given = {"contestants": list(conditions), "labels": list(labels), "data_digest": data_digest}
    return json.loads(json.dumps({**spec, **given}))


def _record(sweep: Sweep, given: Contestants) -> SearchRecord | None:
    """What was started under this name."""
    record = started_record(sweep.storage, sweep.name)
    if record is not None:
        _check_unchanged(sweep, given, record)
    return record


def _check_unchanged(sweep: Sweep, given: Contestants, record: SearchRecord) -> Growth:
    """A contest does not grow."""
    name = sweep.name
    if tags.CONTEST not in record.attributes:
        raise StoreError(f"contest {name}: there is a sweep of this name in {sweep.storage}; give it another name")
    lines = difference(record.attributes[tags.CONTEST], given.plain)
    if lines:
        raise ResumeError(
            f"contest {name}: was started before with other contents: {'; '.join(lines)}. Give it another name, or "
            "undo the change; only execution may change"
        )
    return Growth()


def _check_labels(place: str, labels: Sequence[str], n_contestants: int) -> None:
    if not n_contestants or len(labels) != n_contestants:
        raise SpecError(f"{place}: {n_contestants} contestants and {len(labels)} labels; give one label a contestant")
    if len(set(labels)) < len(labels) or not all(labels):
        raise SpecError(f"{place}: labels must differ and not be empty, not {', '.join(map(repr, labels))}")


def _check_configs(
    place: str,
    study: Study,
    configs: Sequence[Config],
    labels: Sequence[str],
    seeds: Sequence[int],
    vary: Sequence[str],
) -> tuple[list[str], Mapping[str, int]]:
    """Let the study judge every contestant, none of which may be another; returns their data's digests and rows."""
    if not seeds:
        raise SpecError(f"{place}: has no seeds; give at least one")
    made, digests = [], []
    varied = dict.fromkeys(("seed", *vary), int(seeds[0]))
    for label, config in zip(labels, configs, strict=True):
        if own := [field for field in varied if field in config]:
            raise SpecError(f"{place}: {label} has a {own[0]} of its own, {config[own[0]]!r}; leave it to seeds")
        made.append(set_fields(study.config, {**config, **varied}, place=f"{place}, {label}"))
        if made[-1] in made[:-1]:
            twin = labels[made.index(made[-1])]
            raise SpecError(f"{place}: {label} is the same as {twin}, field by field; remove one")
        digests.append(digest_of_data(study, made[-1]))
    return sorted({digest for digest in digests if digest is not None}), rows_of_shares(study, made)


def _alike(configs: Sequence[Config]) -> list[Config]:
    """The configs, each value that equals an earlier contestant's, but for rounding, as that has it."""
    known: dict[str, list[Any]] = {}
    found: list[Config] = []
    for config in configs:
        found.append({field: among(known.get(field, ()), value) for field, value in config.items()})
        for field, value in found[-1].items():
            known.setdefault(field, []).append(value)
    return found


def _split(configs: Sequence[Config]) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """The fields in which all agree, and of each other field the values that it has, each once."""
    common: dict[str, Any] = {}
    space: dict[str, list[Any]] = {}
    for field in dict.fromkeys(field for config in configs for field in config):
        values = [config[field] for config in configs if field in config]
        different = list({identity(value): value for value in values}.values())
        if len(different) == 1 and len(values) == len(configs):
            common[field] = different[0]
        else:
            space[field] = different
    return common, space
