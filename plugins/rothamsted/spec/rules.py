"""What several keys of a sweep must agree on. Apart from the schema, which sees one value at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rothamsted.errors import UserError
from rothamsted.space import SpaceError
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.schema import MAX_CONDITIONS, MAX_SEED, Confirm, Replicates, Sweep

MAX_CHECKED_GRID = 2_000  # conditions: a larger grid is checked at its values one at a time

CheckCondition = Callable[[str, Mapping[str, Any]], None]  # (study, {parameter: value}); raises a UserError


def check_rules(sweep: Sweep, document: Document) -> None:
    """Check the space, the sampler's budget, the seeds, the race and the confirmation.

    Raises:
        SpecError: with the key that is easiest to change.
    """
    try:
        space = sweep.search_space
        if sweep.sampler.name == "grid":
            _check_grid(sweep, document)
        else:
            _check_budget(sweep, document, n_parameters=len(space))
    except SpaceError as error:
        raise document.error(("space", *error.key), error.reason) from None
    _check_race(sweep, document)
    _check_seeds(sweep, document)
    _check_confirmation(sweep, document)
    _check_promotion(sweep, document)
    _check_models(sweep, document)


def check_conditions(sweep: Sweep, document: Document, check: CheckCondition) -> None:
    """Let the study judge conditions: every choice and both ends of every range, and a small grid in full.

    Raises:
        SpecError: with the study's own reason, at the parameter at fault.
    """
    seed = {"seed": sweep.replicates.values[0]}
    for name, condition in _conditions(sweep):
        flat = {**sweep.parameters, **condition, **seed}
        try:
            check(sweep.study, flat)
        except UserError as error:
            at = _blamed(str(error), sweep, name)
            shown = f" under {condition}" if condition else ""
            raise document.error(at, f"study '{sweep.study}' refuses it{shown}: {error}") from None


def _conditions(sweep: Sweep) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Conditions to try, each with the one parameter that has changed from the first, where it is one."""
    space = sweep.search_space
    probes = list(space.probes())
    yield None, (probes[0][1] if probes else {})
    yield from probes
    if sweep.sampler.name == "grid" and space.size_of_grid() <= MAX_CHECKED_GRID:
        for condition in space.iterate_grid():
            yield None, condition


def _blamed(message: str, sweep: Sweep, changed: str | None) -> KeyPath:
    """The parameter that the study's message names first, else the one that has changed, else the study."""
    places = {}
    for key, names in (("space", sweep.space), ("parameters", sweep.parameters)):
        for name in names:
            if found := re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.]*\w)", message):
                places[(key, name)] = (found.start(), -len(name))
    return min(places, key=places.__getitem__, default=("space", changed) if changed else ("study",))


def _check_grid(sweep: Sweep, document: Document) -> None:
    n_conditions = sweep.search_space.size_of_grid()
    if sweep.trials is not None:
        reason = f"a grid has its own number of conditions, {n_conditions}; remove trials, or name another sampler"
        raise document.error(("trials",), reason)
    if n_conditions > MAX_CONDITIONS:
        reason = f"a grid of {n_conditions} conditions, and at most {MAX_CONDITIONS} are taken; give fewer points"
        raise document.error(("space",), reason)


def _check_budget(sweep: Sweep, document: Document, *, n_parameters: int) -> None:
    name = sweep.sampler.name
    if sweep.trials is None:
        reason = f"is missing: sampler {name} has no end of its own; give trials, as in trials: 50"
        raise document.error(("trials",), reason)
    if n_parameters == 0:
        reason = f"is empty, so that sampler {name} has nothing to choose; give domains, or sampler grid"
        raise document.error(("space",), reason)


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
            reason = "stands beside racing, which decides how many replicates there are; give one of the two"
            raise document.error(("replicates", key), reason)
    if racing.max <= racing.min:
        reason = f"{racing.max} leaves nothing to race for above min {racing.min}; give a larger one, or count: N"
        raise document.error(("replicates", "racing", "max"), reason)
    if racing.step > racing.max - racing.min:
        reason = f"{racing.step} is more than the {racing.max - racing.min} from min to max; give a smaller one"
        raise document.error(("replicates", "racing", "step"), reason)


def _check_seeds(sweep: Sweep, document: Document) -> None:
    replicates = sweep.replicates
    _check_room(replicates.values, replicates.first_seed, document, "replicates")
    _check_list(replicates, "count", document, "replicates")


def _check_confirmation(sweep: Sweep, document: Document) -> None:
    confirm, seeds = sweep.confirm, sweep.confirm_seeds
    if confirm is None:
        return
    if confirm.keep > sweep.n_trials:
        reason = f"{confirm.keep} of {sweep.n_trials} conditions; give at most {sweep.n_trials}"
        raise document.error(("confirm", "keep"), reason)
    _check_room(seeds, confirm.first_seed, document, "confirm")
    _check_list(confirm, "replicates", document, "confirm")
    if used := sorted(set(seeds) & set(sweep.replicates.values)):
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


def _check_list(given: Replicates | Confirm, count_key: str, document: Document, key: str) -> None:
    """A list of seeds is without repetition, and what stands beside it agrees with it."""
    seeds, count = given.seeds, getattr(given, count_key)
    if seeds is None:
        return
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        reason = f"{twice} stands twice: two replicates would be one and the same; remove it"
        raise document.error((key, "seeds"), reason)
    if given.first_seed is not None:
        raise document.error((key, "first_seed"), "stands beside seeds; give one of the two")
    if count is not None and count != len(seeds):
        reason = f"{count} replicates, but {len(seeds)} seeds; remove one of the two keys"
        raise document.error((key, count_key), reason)
