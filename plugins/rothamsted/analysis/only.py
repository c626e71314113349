"""Keep a part of the conditions of an analysis for figures; ranks and verdicts stay those among all conditions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rothamsted.analysis.typed import fixed_parameters, shown, typed
from rothamsted.analysis.values import Analysis, Band, Condition, Dataset, Factor
from rothamsted.errors import UserError
from rothamsted.space import among, identity
from rothamsted.suggest import known_names
from rothamsted.wording import joined

MOST_LISTED = 12  # values in an error


def matching(dataset: Dataset, where: Mapping[str, str]) -> tuple[int, ...]:
    """Return the numbers of the conditions that have all these values.

    Args:
        dataset: The dataset of the conditions.
        where: Parameter -> value as it is written. 1 equals 1.0, and a number may have the six digits of the labels. A
            parameter that the sweep's file fixes may be given with that value.

    Raises:
        UserError: A parameter, a value or a combination does not exist; the message says which do.
    """
    factors = {factor.name: factor for factor in dataset.factors}
    kept, fixed = list(dataset.conditions), fixed_parameters(dataset)
    for name, text in where.items():
        if name not in factors and name in fixed:
            if not _meant([fixed[name]], text):
                raise UserError(f"where: {name} is never {text}; it is {shown(fixed[name])} in every condition")
            continue
        if name not in factors:
            raise UserError(f"where: {name!r} is not a parameter that differs here; {known_names(name, factors)}")
        levels = _meant(factors[name].levels, text)
        if not levels:
            raise UserError(f"where: {name} is never {text}; it is {_listed(factors[name].levels)}")
        meant = {identity(level) for level in levels}
        still = [one for one in kept if name in one.values and identity(one.values[name]) in meant]
        if not still:
            others = _distinct(factors[name], kept)
            raise UserError(
                f"where: no condition has {joined([f'{key}={value}' for key, value in where.items()])} together; "
                f"if the keys before {name} hold, {name} is {_listed(others) if others else 'not used'}"
            )
        kept = still
    return tuple(condition.number for condition in kept)


def only(analysis: Analysis, numbers: Sequence[int]) -> Analysis:
    """Return the analysis with only these conditions. Ranks and verdicts stay those among all conditions.

    Raises:
        UserError: The reference that all are compared with is not among them.
    """
    kept = set(numbers)
    best, family, pareto = analysis.best, analysis.comparisons, analysis.pareto
    if family is not None and family.reference not in kept:
        raise UserError(
            f"where: leaves out condition {family.reference}, the reference of all comparisons; keep it in where, or "
            "give no reference"
        )
    return replace(
        analysis,
        dataset=only_these(analysis.dataset, kept),
        objective=_of(analysis.objective, kept),
        metrics={name: _of(rows, kept) for name, rows in analysis.metrics.items()},
        ranking=tuple(number for number in analysis.ranking if number in kept),
        best=best and replace(best, verdicts=_by(best.verdicts, kept), more_seeds=_by(best.more_seeds, kept)),
        comparisons=family and replace(family, rows=_of(family.rows, kept)),
        confirmed=_of(analysis.confirmed, kept),
        bands={
            name: {axis: _bands(bands, kept) for axis, bands in axes.items()} for name, axes in analysis.bands.items()
        },
        others=tuple(_of(rows, kept) for rows in analysis.others),
        pareto=pareto
        and replace(
            pareto,
            members=tuple(number for number in pareto.members if number in kept),
            frequency=_by(pareto.frequency, kept),
        ),
    )


def _meant(levels: Sequence[Any], text: str) -> list[Any]:
    """The levels that are what is written: its value, its text, or numbers that labels write in the same way."""
    value = typed(text)
    equal = [level for level in levels if identity(level) == identity(among(levels, value)) or shown(level) == text]
    if equal:
        return equal
    alike = [level for level in levels if isinstance(level, float) and isinstance(value, float)]
    return [level for level in levels if str(level) == text] or [one for one in alike if shown(one) == shown(value)]


def _distinct(factor: Factor, conditions: Sequence[Condition]) -> list[Any]:
    present = [condition.values[factor.name] for condition in conditions if factor.name in condition.values]
    return [level for level in factor.levels if any(identity(value) == identity(level) for value in present)]


def _listed(levels: Sequence[Any]) -> str:
    texts = [shown(level) for level in levels]
    return ", ".join(texts[:MOST_LISTED]) + (f" and {len(texts) - MOST_LISTED} more" if texts[MOST_LISTED:] else "")


def only_these(dataset: Dataset, kept: Collection[int]) -> Dataset:
    """Return the dataset with only these conditions."""
    conditions = tuple(condition for condition in dataset.conditions if condition.number in kept)
    return replace(
        dataset,
        conditions=conditions,
        replicates=tuple(replicate for replicate in dataset.replicates if replicate.condition in kept),
        factors=tuple(replace(factor, levels=tuple(_distinct(factor, conditions))) for factor in dataset.factors),
        unconfirmed=dataset.unconfirmed & set(kept),
    )


def _of(rows: Sequence[Any], kept: set[int]) -> tuple[Any, ...]:
    return tuple(row for row in rows if row.condition in kept)


def _bands(bands: Sequence[Band], kept: set[int]) -> tuple[Band, ...]:
    return tuple(band for band in bands if band.condition in kept)


def _by(by_number: Mapping[int, Any], kept: set[int]) -> dict[int, Any]:
    return {number: value for number, value in by_number.items() if number in kept}
