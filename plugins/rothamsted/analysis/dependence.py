"""Say which statements still hold if trials depend on results: adaptive samplers, pruning, races, stages.

The statements rest on simulation (docs/log.md) and on: Nie, Tian, Taylor & Zou (2018), AISTATS, arXiv:1708.01977 (means
of data that are collected by results are biased); Hadad and others (2021), PNAS 118(15) (usual intervals of such data
do not hold); Cawley & Talbot (2010), JMLR 11 (a choice on the same noise is optimistic).
"""

from __future__ import annotations

from rothamsted.analysis.values import Dataset

LOOKS = ("stages", "pruning", "racing")  # of `Dataset.looked_by`, beside a sampler's name
FRESH = (
    "The estimate of a confirmed condition on fresh seeds holds in full: nothing was chosen by these seeds.",
    "Only fresh seeds (confirm: in the sweep file) would give an estimate that does not depend on the choices.",
)
BY_SAMPLER = (
    "The sampler {name} chose conditions by the results of earlier ones. The interval of a condition that is named "
    "beforehand holds, because the seeds were fixed before. The interval of the best condition does not hold, because "
    "this condition was chosen for its result. Conditions near a lucky one may be lucky, too.",
    "Effects, means of levels and shares of variance describe the conditions that were tried, not the whole space: "
    "levels that looked good were tried more often. Verdicts and p-values are about the tried conditions, too. In "
    "simulations with tpe they were wrong no more often than stated.",
)
BY_PRUNING = (
    "Pruning stopped conditions because of their own values. The means of the others are probably too good, so that "
    "intervals, verdicts and effects hold only roughly. The pruned conditions are in none of them."
)
BY_RACING = (
    "The race stopped conditions because of their own values; its own error rate accounts for that. The mean of a "
    "dropped condition is probably too bad, and that of one that stayed too good, so that plain intervals and effects "
    "hold only roughly."
)
BY_STAGES = (
    "An earlier stage chose these conditions by its results. If they go on with the same seeds or the same training, "
    "their means are probably too good. Effects describe the conditions that were kept."
)


def statements(dataset: Dataset) -> tuple[str, ...]:
    """Return what still holds, one paragraph each; nothing if no trial depended on results."""
    said: list[str] = []
    for look in dataset.looked_by:
        if look not in LOOKS:
            said += [text.format(name=look) for text in BY_SAMPLER]
    said += [
        text
        for look, text in (("stages", BY_STAGES), ("pruning", BY_PRUNING), ("racing", BY_RACING))
        if look in dataset.looked_by
    ]
    if not said:
        return ()
    is_confirmed = any(r.phase == "confirm" and r.outcome == "finished" for r in dataset.replicates)
    return (*said, FRESH[0] if is_confirmed else FRESH[1])
