"""Say which statements still hold where trials depend on results: samplers that look at them, pruning, races, stages.

What is said rests on simulation (docs/log.md) and on: Nie, Tian, Taylor & Zou (2018), AISTATS, arXiv:1708.01977 (means
of data that are collected by results are biased); Hadad and others (2021), PNAS 118(15) (usual intervals of such data
do not hold); Cawley & Talbot (2010), JMLR 11 (a choice on the same noise is optimistic).
"""

from __future__ import annotations

from rothamsted.analysis.values import Dataset

LOOKS = ("stages", "pruning", "racing")  # of `Dataset.looked_by`, beside a sampler's name
FRESH = (
    "What fresh seeds say of a confirmed condition holds in full: these seeds had no part in choosing it.",
    "Only fresh seeds (confirm: in the sweep file) would give an estimate that the choices have no part in.",
)
BY_SAMPLER = (
    "The sampler {name} chose conditions by the results of earlier ones. The seeds were fixed before, so "
    "the interval of a condition that is named beforehand holds; that of the best does not, because it was picked, and "
    "conditions chosen because a near one was lucky may share its luck.",
    "Effects, level means and shares of variance describe the conditions that were tried, not the whole space: levels "
    "that looked good were tried more often, and levels that were given up stay with their bad luck. Verdicts on "
    "conditions and p-values of factors are about the tried ones, too; simulated with tpe, they err no more often than "
    "stated.",
)
BY_PRUNING = (
    "Pruning stopped conditions by their own values. The means of those that were left are likely to be too good, so "
    "their intervals, verdicts and effects hold only roughly; the pruned ones are in none of them."
)
BY_RACING = (
    "The race stopped conditions by their own values, and its own error rate counts every look. The mean of a dropped "
    "condition is likely to be too bad and that of one that stayed too good, so plain intervals and effects hold only "
    "roughly."
)
BY_STAGES = (
    "An earlier stage chose these conditions by its results. Where their seeds and training go on from there, their "
    "means are likely to be too good, and effects describe the conditions that were kept."
)


def statements(dataset: Dataset) -> tuple[str, ...]:
    """Return what still holds, a paragraph each; nothing where no result had a part in which trials were run."""
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
