"""Check that the keys of the search agree: sampler, objectives, constraints, pruner, warm start, enqueued conditions.

The catalog says what a sampler or a pruner can do.
"""

from __future__ import annotations

from collections.abc import Callable

from rothamsted.caps import MOST_CONDITIONS
from rothamsted.catalog import PRUNERS, SAMPLERS
from rothamsted.expression import Constraint, Expression
from rothamsted.metric import TEST_PREFIX
from rothamsted.rows import SamplerRow
from rothamsted.space import Choice, SpaceError, condition_key
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.schema import Sweep


def check_search(sweep: Sweep, document: Document) -> None:
    """Check the search, and whether the sampler and the pruner can do it.

    Raises:
        SpecError: names the key that is easiest to change.
    """
    _check_objectives(sweep, document)
    _check_no_test_rows(sweep, document)
    try:
        space = sweep.search_space
        _check_enqueued(sweep, document)
        _check_reference(sweep, document)
        if SAMPLERS[sweep.sampler.name].needs_finite_space:
            _check_finite(sweep, document)
        else:
            _check_budget(sweep, document, n_parameters=len(space))
    except SpaceError as error:
        raise document.error(("space", *error.key), error.reason) from None
    _check_sampler(sweep, document)
    _check_pruner(sweep, document)
    _check_early_stopping(sweep, document)
    _check_warm_start(sweep, document)


def _check_objectives(sweep: Sweep, document: Document) -> None:
    names = [objective.metric for objective in sweep.objectives]
    scores = {objective.metric for objective in sweep.objectives if objective.expression is not None}
    for n, objective in enumerate(sweep.objectives):
        path: KeyPath = ("objective", n)
        if objective.metric in names[:n]:
            key = "name" if objective.expression is not None else "metric"
            way = "give each score a name of its own" if key == "name" else "remove one"
            raise document.error((*path, key), f"{objective.metric!r} is an objective twice; {way}")
        used = Expression(objective.expression).names if objective.expression is not None else frozenset()
        if found := sorted(used & scores):
            reason = f"{found[0]!r} is a score itself; write its expression out"
            raise document.error((*path, "expression") if len(names) > 1 else ("objective", "expression"), reason)


def _check_no_test_rows(sweep: Sweep, document: Document) -> None:
    """What is measured on a study's test rows may choose nothing."""
    asked: list[tuple[KeyPath, frozenset[str]]] = [
        (("constraints", n), Constraint(text).names) for n, text in enumerate(sweep.constraints)
    ]
    for n, one in enumerate(sweep.objectives):
        key: KeyPath = ("objective", n) if len(sweep.objectives) > 1 else ("objective",)
        names = frozenset({one.metric}) if one.expression is None else Expression(one.expression).names
        asked.append(((*key, "metric" if one.expression is None else "expression"), names))
    if sweep.early_stopping is not None and sweep.early_stopping.metric is not None:
        asked.append((("early_stopping", "metric"), frozenset({sweep.early_stopping.metric})))
    for path, names in asked:
        tested = sorted(name for name in names if name.startswith(TEST_PREFIX))
        if tested and not sweep.is_foreign:
            reason = f"{tested[0]} is measured on rows that no choice may use; give a metric of other rows"
            raise document.error(path, reason)


def _check_reference(sweep: Sweep, document: Document) -> None:
    """A reference is one whole condition of the space; of a sweep with a task without the task."""
    if sweep.statistics.reference is not None:
        try:
            sweep.search_space.check({**sweep.statistics.reference, **_any_task(sweep)})
        except SpaceError as error:
            raise document.error(("statistics", "reference", *error.key), error.reason) from None


def _any_task(sweep: Sweep) -> dict[str, object]:
    """A value of the task, where there is one."""
    domain = sweep.space.get(sweep.task.factor) if sweep.task is not None else None
    return {sweep.task.factor: domain.values[0]} if sweep.task is not None and isinstance(domain, Choice) else {}


def _check_enqueued(sweep: Sweep, document: Document) -> None:
    seen: dict[object, int] = {}
    for n, condition in enumerate(sweep.enqueue):
        try:
            sweep.search_space.check(condition)
        except SpaceError as error:
            raise document.error(("enqueue", n, *error.key), error.reason) from None
        first = seen.setdefault(condition_key(condition, sweep.space), n)
        if first != n:
            raise document.error(("enqueue", n), f"is the same condition as enqueue[{first}]; remove one")
    if sweep.trials is not None and len(sweep.enqueue) > sweep.trials:
        reason = f"{len(sweep.enqueue)} conditions, but trials is {sweep.trials}; give more trials"
        raise document.error(("enqueue",), reason)


def _check_finite(sweep: Sweep, document: Document) -> None:
    name, n_conditions = sweep.sampler.name, sweep.model_copy(update={"trials": None}).n_trials
    if sweep.trials is not None and name == "grid":
        reason = f"a grid has its own number of conditions, {n_conditions}; remove trials, or name another sampler"
        raise document.error(("trials",), reason)
    if sweep.trials is not None and sweep.trials > n_conditions:
        reason = (
            f"{sweep.trials} is more than the {n_conditions} conditions; give at most {n_conditions}, or remove trials"
        )
        raise document.error(("trials",), reason)
    if n_conditions > MOST_CONDITIONS:
        reason = f"a grid of {n_conditions} conditions, and at most {MOST_CONDITIONS} are allowed; give fewer points"
        raise document.error(("space",), reason)


def _check_budget(sweep: Sweep, document: Document, *, n_parameters: int) -> None:
    name = sweep.sampler.name
    if sweep.trials is None:
        reason = f"is missing: sampler {name} has no end of its own; give trials, as in trials: 50"
        raise document.error(("trials",), reason)
    if n_parameters == 0:
        reason = f"is empty, so that sampler {name} has nothing to choose; give domains, or sampler grid"
        raise document.error(("space",), reason)


def _check_sampler(sweep: Sweep, document: Document) -> None:
    name, facts = sweep.sampler.name, SAMPLERS[sweep.sampler.name]
    domains = sweep.space.values()
    is_several, is_bounded = len(sweep.objectives) > 1, bool(sweep.constraints)
    is_conditional = any(parent in sweep.space for domain in domains for parent in domain.when)
    has_choice = any(isinstance(domain, Choice) and len(domain.values) > 1 for domain in domains)
    asked: tuple[tuple[bool, Callable[[SamplerRow], bool], str], ...] = (
        (is_conditional, lambda one: one.conditional, "a space with `when`"),
        (has_choice, lambda one: one.categorical, "a space with choices"),
        (is_several, lambda one: one.several_objectives, "several objectives"),
        (is_bounded, lambda one: one.constraints, "constraints"),
    )
    for is_asked, can, what in asked:
        if is_asked and not can(facts):
            able = [
                other
                for other, one in SAMPLERS.items()
                if all(other_can(one) for other_asked, other_can, _ in asked if other_asked)
            ]
            raise document.error(("sampler", "name"), f"{name} cannot do {what}; give {', '.join(able)}")
    if len(sweep.space) < facts.min_parameters and not facts.needs_finite_space:
        reason = f"{name} needs {facts.min_parameters} parameters or more in space, not {len(sweep.space)}"
        raise document.error(("sampler", "name"), f"{reason}; give another sampler, such as tpe")


def _check_pruner(sweep: Sweep, document: Document) -> None:
    pruner = sweep.pruner
    if pruner is None:
        return
    if len(sweep.objectives) > 1:
        raise document.error(("pruner",), "judges by one objective, and there are several; remove it")
    if sweep.replicates.racing is not None:
        reason = "cannot be given with replicates.racing: a race drops conditions by whole replicates"
        raise document.error(("pruner",), f"{reason}; give one of the two")
    if PRUNERS[pruner.name].over == "replicates":
        if sweep.replicates.n_first < 2:
            reason = f"{pruner.name} compares replicates, and there is one; give replicates: 2 or more"
            raise document.error(("pruner", "name"), reason)
    elif sweep.objective.artifact is not None:
        reason = f"{pruner.name} looks at steps, and an artifact is read when the run is over; remove it"
        raise document.error(("pruner", "name"), reason)


def _check_early_stopping(sweep: Sweep, document: Document) -> None:
    early = sweep.early_stopping
    if early is None:
        return
    known = {objective.metric: objective for objective in sweep.objectives}
    objective = known.get(early.metric) if early.metric is not None else sweep.objective
    if objective is None:
        if early.direction is None:
            reason = f"is missing: {early.metric!r} is not an objective; give minimize or maximize"
            raise document.error(("early_stopping", "direction"), reason)
        return
    if objective.artifact is not None:
        reason = "an artifact is read when the run is over; give a metric that is logged on the way"
        raise document.error(("early_stopping", "metric"), reason)
    if early.direction not in (None, objective.direction):
        reason = f"{early.direction}, but the objective is to {objective.direction}; remove it"
        raise document.error(("early_stopping", "direction"), reason)


def _check_warm_start(sweep: Sweep, document: Document) -> None:
    warm = sweep.warm_start
    if warm is None:
        return
    if not SAMPLERS[sweep.sampler.name].adaptive:
        able = ", ".join(name for name, facts in SAMPLERS.items() if facts.adaptive)
        reason = f"sampler {sweep.sampler.name} does not look at results; remove it, or give one of {able}"
        raise document.error(("warm_start",), reason)
    if warm.sweep == sweep.name and warm.storage in (None, sweep.storage):
        raise document.error(("warm_start", "sweep"), "is this sweep itself; name an earlier one")
