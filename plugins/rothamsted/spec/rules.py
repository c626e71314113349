"""Check the rules over several keys of a sweep. The schema checks single values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rothamsted.caps import MOST_LOCAL_WORKERS, MOST_TRIED
from rothamsted.catalog import SAMPLERS
from rothamsted.errors import UserError
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.field_values import first_twice
from rothamsted.spec.rules_command import check_command
from rothamsted.spec.rules_over import check_over
from rothamsted.spec.rules_recorded import check_recorded
from rothamsted.spec.rules_search import check_search
from rothamsted.spec.rules_stages import check_stages
from rothamsted.spec.rules_task import check_task
from rothamsted.spec.schema import CLUSTER_KEYS, DEVICE_KEYS, MAX_SEED, Confirm, Execution, Replicates, Sweep
from rothamsted.spec.varied import check_varied

MAX_CHECKED_GRID = 2_000  # conditions, over all stages: a larger grid is checked at its values one at a time

CheckCondition = Callable[[str, Mapping[str, Any]], None]  # (study, {parameter: value}); raises a UserError


def check_rules(sweep: Sweep, document: Document) -> None:
    """Check the search, the seeds, the race, the stages and the confirmation.

    Raises:
        SpecError: names the key that is easiest to change.
    """
    _check_target(sweep, document)
    check_search(sweep, document)
    _check_race(sweep, document)
    _check_list(sweep.replicates, "count", document, ("replicates",))
    _check_room(sweep.replicates.values, sweep.replicates.first_seed, document, "replicates")
    for number, stage in enumerate(sweep.stages):
        if stage.replicates is not None:
            _check_list(stage.replicates, "count", document, ("stages", number, "replicates"))
    check_varied(sweep, document)
    check_stages(sweep, document)
    _check_confirmation(sweep, document)
    check_over(sweep, document)
    _check_promotion(sweep, document)
    _check_models(sweep, document)
    check_task(sweep, document)
    check_command(sweep, document)
    check_recorded(sweep, document)
    _check_executor(sweep, document)


def _check_executor(sweep: Sweep, document: Document) -> None:
    """Executors of this machine have no cluster, and a cluster shares out its GPUs itself."""
    execution = sweep.execution
    for key in DEVICE_KEYS if execution.executor == "ray" else ():
        if key in execution.model_fields_set:
            reason = "is for GPUs of this machine; on a cluster give execution.resources: {GPU: 1}"
            raise document.error(("execution", key), reason)
    for key in CLUSTER_KEYS if execution.executor in ("local", "in_process") else ():
        if getattr(execution, key):
            reason = (
                f"is for a cluster, and execution.executor is {execution.executor}; give executor: ray, or remove it"
            )
            raise document.error(("execution", key), reason)
    if execution.executor == "local" and execution.workers != "auto" and execution.workers > MOST_LOCAL_WORKERS:
        reason = f"one machine runs at most {MOST_LOCAL_WORKERS} processes, not {execution.workers}"
        raise document.error(("execution", "workers"), f"{reason}; give fewer, or execution.executor: ray")
    if execution.checkpoints == "artifacts" and execution.checkpoint_dir != Execution().checkpoint_dir:
        reason = "is for checkpoints in a folder, and execution.checkpoints is artifacts; remove one of the two"
        raise document.error(("execution", "checkpoint_dir"), reason)


def check_conditions(sweep: Sweep, document: Document, check: CheckCondition) -> None:
    """Let the study check conditions: every choice, both ends of every range, and a small grid in full.

    Raises:
        SpecError: has the study's own reason, at the wrong parameter.
    """
    n_tried, n_stages = 0, max(len(sweep.stages), 1)
    for stage in range(n_stages):
        fixed = {**sweep.stage_parameters(stage), **sweep.varied_by(sweep.stage_seeds(stage)[0])}
        for at, condition in _conditions(sweep, n_stages):
            n_tried += 1
            if n_tried > MOST_TRIED:
                reason = f"more than {MOST_TRIED} of its values, over all stages, would be checked before anything runs"
                raise document.error(("space",), f"{reason}; give fewer choices, enqueued conditions or stages")
            try:
                check(sweep.study or "", {**fixed, **condition})
            except UserError as error:
                path = _blamed(str(error), sweep, stage) or at or ("study",)
                shown = f" under {condition}" if condition else ""
                raise document.error(path, f"study '{sweep.study}' refuses it{shown}: {error}") from None


def _conditions(sweep: Sweep, n_stages: int) -> Iterator[tuple[KeyPath | None, dict[str, Any]]]:
    """Conditions to try, each with the place of the one thing that has changed from the first, where it is one."""
    space = sweep.search_space
    first = next(space.probes(), ("", {}))
    yield None, first[1]
    yield from ((("space", name), condition) for name, condition in space.probes())
    yield from ((("enqueue", n), condition) for n, condition in enumerate(sweep.enqueue))
    if SAMPLERS[sweep.sampler.name].needs_finite_space and space.size_of_grid() * n_stages <= MAX_CHECKED_GRID:
        for condition in space.iterate_grid():
            yield None, condition


def _blamed(message: str, sweep: Sweep, stage: int) -> KeyPath | None:
    """The parameter that the study's message names first."""
    places: dict[KeyPath, tuple[int, int]] = {}
    own = tuple(sweep.stages[stage].parameters) if sweep.stages else ()
    fixed = tuple(name for name in sweep.parameters if name not in own)
    for key, names in ((("stages", stage, "parameters"), own), (("space",), sweep.space), (("parameters",), fixed)):
        for name in names:
            if found := re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.]*\w)", message):
                places[(*key, name)] = (found.start(), -len(name))
    return min(places, key=places.__getitem__, default=None)


def _check_target(sweep: Sweep, document: Document) -> None:
    if [sweep.study, sweep.project, sweep.command].count(None) != 2:
        raise document.error(("study",), "one of study, project and command says what is trained; give exactly one")


def _check_promotion(sweep: Sweep, document: Document) -> None:
    """What is promoted is a confirmed winner with its model."""
    if sweep.promote is None:
        return
    if sweep.confirm is None:
        reason = "needs confirm: a search's own estimate of its winner is no evidence"
        raise document.error(("promote",), f"{reason}; add confirm: {{keep: 1, replicates: 10}}")
    if sweep.models == "none":
        raise document.error(("promote",), "needs the confirmed models, and models is none; remove one of the two")


def _check_race(sweep: Sweep, document: Document) -> None:
    racing = sweep.replicates.racing
    if racing is None:
        return
    for key in ("count", "seeds"):
        if getattr(sweep.replicates, key) is not None:
            reason = "cannot be given with racing, which decides how many replicates there are; give one of the two"
            raise document.error(("replicates", key), reason)
    if racing.max <= racing.min:
        reason = (
            f"{racing.max} is not above min {racing.min}, so there is nothing to race for; give a larger one, or "
            "count: N"
        )
        raise document.error(("replicates", "racing", "max"), reason)
    if racing.step > racing.max - racing.min:
        reason = f"{racing.step} is more than the {racing.max - racing.min} from min to max; give a smaller one"
        raise document.error(("replicates", "racing", "step"), reason)
    if len(sweep.objectives) > 1:
        reason = "a race needs one objective, and there are several; give count: N"
        raise document.error(("replicates", "racing"), reason)


def _check_confirmation(sweep: Sweep, document: Document) -> None:
    confirm, seeds = sweep.confirm, sweep.confirm_seeds
    if confirm is None:
        return
    # By `trials`: records of sweeps that ran before the space was counted are read by the same rules.
    n_conditions = (sweep.stages[-1].keep if sweep.stages else None) or sweep.trials or sweep.n_trials
    if confirm.keep > n_conditions:
        last = " of the last stage" if sweep.stages else ""
        reason = f"{confirm.keep} is more than the {n_conditions} conditions{last}; give at most {n_conditions}"
        raise document.error(("confirm", "keep"), reason)
    _check_room(seeds, confirm.first_seed, document, "confirm")
    _check_list(confirm, "replicates", document, ("confirm",))
    if used := sorted(set(seeds) & sweep.search_seeds):
        key = "seeds" if confirm.seeds is not None else "first_seed"
        reason = f"{used[0]} is a seed of the search, which a confirmation must not see again; give fresh ones"
        raise document.error(("confirm", key), reason)


def _check_models(sweep: Sweep, document: Document) -> None:
    if sweep.models == "confirmed" and sweep.confirm is None:
        reason = "confirmed, but nothing is: there is no confirm; add confirm: {keep: 1}, or give best, all or none"
        raise document.error(("models",), reason)


def _check_room(seeds: tuple[int, ...], first_seed: int | None, document: Document, key: str) -> None:
    if seeds[-1] > MAX_SEED:
        path = (key,) if first_seed is None else (key, "first_seed")
        raise document.error(path, f"{seeds[0]} leads to seeds above {MAX_SEED}; give a smaller first_seed")


def _check_list(given: Replicates | Confirm, count_key: str, document: Document, path: KeyPath) -> None:
    """A list of seeds is without repetition, and what stands beside it agrees with it."""
    seeds, count = given.seeds, getattr(given, count_key)
    if seeds is None:
        return
    if len(set(seeds)) < len(seeds):
        twice = first_twice(seeds)
        reason = f"{twice} is given twice: two replicates would be the same; remove one"
        raise document.error((*path, "seeds"), reason)
    if given.first_seed is not None:
        raise document.error((*path, "first_seed"), "cannot be given with seeds; give one of the two")
    if count is not None and count != len(seeds):
        reason = f"{count} replicates, but {len(seeds)} seeds; remove one of the two keys"
        raise document.error((*path, count_key), reason)
