"""Check that the stages of a sweep agree."""

from __future__ import annotations

from rothamsted.spec.document import Document
from rothamsted.spec.schema import MAX_SEED, Sweep


def check_stages(sweep: Sweep, document: Document) -> None:
    """Check how many conditions each stage keeps, on which seeds, and what may change between them.

    Raises:
        SpecError: names the key that is easiest to change.
    """
    if not sweep.stages:
        return
    if len(sweep.stages) == 1:
        raise document.error(("stages",), "has one stage, as every sweep has; give two or more, or parameters")
    for key in ("keep", "replicates", "by", "resume"):
        if key in sweep.stages[0].model_fields_set:
            reason = "the first stage has every condition and the sweep's own replicates; remove it"
            raise document.error(("stages", 0, key), reason)
    for number in range(len(sweep.stages)):
        _check_parameters(sweep, document, number)
    n_before = sweep.trials or sweep.n_trials  # by `trials`, as records of sweeps are read by the same rules
    for number in range(1, len(sweep.stages)):
        n_before = _check_keep(sweep, document, number, n_before)
        _check_replicates(sweep, document, number)


def _check_parameters(sweep: Sweep, document: Document, number: int) -> None:
    """A stage that switched parameters of the space on and off would have other conditions."""
    for name in sweep.stages[number].parameters:
        for child, domain in sweep.space.items():
            if name in domain.when:
                reason = f"the `when` of space.{child} asks for it, and stages have the same conditions; fix it for all"
                raise document.error(("stages", number, "parameters", name), reason)


def _check_keep(sweep: Sweep, document: Document, number: int, n_before: int) -> int:
    keep = sweep.stages[number].keep
    if keep is None:
        raise document.error(("stages", number, "keep"), "is missing; say how many conditions go on, as in keep: 3")
    if keep > n_before:
        reason = f"{keep} is more than the {n_before} conditions of the stage before; give at most {n_before}"
        raise document.error(("stages", number, "keep"), reason)
    return keep


def _check_replicates(sweep: Sweep, document: Document, number: int) -> None:
    stage, path = sweep.stages[number], ("stages", number, "replicates")
    own = stage.replicates
    if own is None and sweep.replicates.racing is not None:
        reason = "is missing: the race ends with the first stage; give the replicates of this one, as in {count: 5}"
        raise document.error(path, reason)
    if own is not None and own.racing is not None:
        reason = "only the first stage can race, by the sweep's own replicates; give count or seeds"
        raise document.error((*path, "racing"), reason)
    seeds = sweep.stage_seeds(number)
    if own is not None and seeds[-1] > MAX_SEED:
        raise document.error(path, f"lead to seeds above {MAX_SEED}; give a smaller first_seed")
    if stage.by == "interval" and len(sweep.stage_seeds(number - 1)) < 2:
        reason = "interval needs two replicates or more in the stage before; give by: mean"
        raise document.error(("stages", number, "by"), reason)
    new = sorted(set(seeds) - set(sweep.stage_seeds(number - 1)))
    if stage.resume is True and new:
        reason = f"true, but the stage before has not trained seed {new[0]}; give resume: auto, or the same seeds"
        raise document.error(("stages", number, "resume"), reason)
