"""Check a sweep with a task: every condition runs on every task, and nothing ranks single tasks."""

from __future__ import annotations

from rothamsted.catalog import SAMPLERS
from rothamsted.space import Choice
from rothamsted.spec.document import Document, KeyPath
from rothamsted.spec.schema import Sweep


def check_task(sweep: Sweep, document: Document) -> None:
    """Check the factor that is the task, and keys that cannot be used with it.

    Raises:
        SpecError: names the key that is easiest to change.
    """
    if sweep.task is None:
        return
    _check_factor(sweep, document)
    _check_scale(sweep, document)
    if not SAMPLERS[sweep.sampler.name].needs_finite_space or sweep.trials is not None:
        reason = "every condition has to run on every task; give sampler: grid, and no trials"
        raise document.error(("task",), f"cannot be given with sampler {sweep.sampler.name}{_budget(sweep)}: {reason}")
    beside = {
        "confirm": sweep.confirm,
        "stages": sweep.stages,
        "pruner": sweep.pruner,
        "enqueue": sweep.enqueue,
        "warm_start": sweep.warm_start,
    }
    for key, value in beside.items():
        if value:
            raise document.error((key,), "chooses single runs, but with task conditions are compared over "
            "all tasks; remove one of the two")  # fmt: skip
    if sweep.replicates.racing is not None:
        reason = "would drop a condition by the results on one task; give replicates: {count: N}"
        raise document.error(("replicates", "racing"), f"cannot be given with task: {reason}")
    if len(sweep.objectives) > 1:
        raise document.error(("objective",), "several objectives cannot be given with task; give one")
    if sweep.models == "best":
        raise document.error(
            ("models",),
            "best is one condition on one task, but with task conditions are compared over all; give all or none",
        )


def _budget(sweep: Sweep) -> str:
    return f" with trials: {sweep.trials}" if sweep.trials is not None else ""


def _check_factor(sweep: Sweep, document: Document) -> None:
    task = sweep.task
    factor = task.factor if task is not None else ""
    path: KeyPath = ("task",)
    domain = sweep.space.get(factor)
    if domain is None:
        raise document.error(path, f"{factor!r} is not in the space; there are: {', '.join(sweep.space) or 'none'}")
    if not isinstance(domain, Choice) or len(domain.values) < 2:
        raise document.error(path, f"{factor!r} must be a choice of two tasks or more, such as [mnist, cifar10]")
    if len(sweep.space) < 2:
        raise document.error(
            path, f"{factor!r} is all that the space has, so there is nothing to compare; add a factor"
        )
    if domain.when:
        raise document.error(path, f"{factor!r} depends on other factors (when); every condition needs every task")
    if below := [name for name, other in sweep.space.items() if factor in other.when]:
        raise document.error(
            path, f"{below[0]!r} depends on it (when), so conditions would differ between tasks; remove its when"
        )


def _check_scale(sweep: Sweep, document: Document) -> None:
    """Ends that are given are those of every task."""
    task = sweep.task
    domain = sweep.space[task.factor] if task is not None else None
    if task is None or isinstance(task.scale, str) or not isinstance(domain, Choice):
        return
    names = [str(value) for value in domain.values]
    if wrong := sorted({*names} ^ {*task.scale}):
        what = "has no ends" if wrong[0] in names else f"is not a value of {task.factor}"
        raise document.error(
            ("task", "scale"), f"{wrong[0]!r} {what}; give low and high for each of {', '.join(names)}"
        )
