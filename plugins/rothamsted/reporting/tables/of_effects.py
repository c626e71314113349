"""Make the tables of factors for a page: their levels, the analysis of variance, main-effect means."""

from __future__ import annotations

import math

from rothamsted.analysis.values import EffectRow, Factor, FactorEffects, LevelMean
from rothamsted.reporting.parts import Column, DataTable, Row, columns, numeric, text
from rothamsted.reporting.sentences import capital
from rothamsted.reporting.tables.cells import limit_note
from rothamsted.wording import (
    digits_of,
    estimate,
    joined,
    level_percent,
    number,
    probability,
    setting,
    with_uncertainty,
)

MOST_LEVELS = 30  # of one factor, in a table
MOST_LISTED = 8  # of one factor, in a sentence


def variance_table(effects: FactorEffects, level: float, over: str = "") -> DataTable:
    """Make the table of the analysis of variance.

    Args:
        effects: The effects.
        level: A p-value below 1 - level counts as small.
        over: A sentence on the conditions that count, and those that are left out.
    """
    alpha = 1 - level
    rows = tuple(
        Row(
            cells=(
                text(row.source),
                numeric(number(row.df), row.df),
                numeric(number(row.sum_squares), row.sum_squares),
                numeric(number(row.f), row.f),
                text(_tested_with(row)),
                numeric(probability(row.p_value, alpha), row.p_value),
                numeric(_hundredths(row.omega_squared), row.omega_squared),
                numeric(_hundredths(row.share), row.share),
            )
        )
        for row in effects.rows
    )
    titles = ("Source", "df", "Sum of squares", "F", "F's df", "p", "Partial ω²", "Share")
    tested = "degrees of freedom of the F test: fewer if the spread differs between conditions"
    hints = ("", "degrees of freedom", "", "", tested, "", "partial omega squared", "of the total sum of squares")
    is_tested = not effects.untested
    p_values = "p-values are not corrected for the number of sources" if is_tested else "no p-values: see the note"
    return DataTable(
        caption=" ".join(part for part in (f"{capital(effects.method)}; {p_values}.", over) if part),
        columns=columns(*titles, numeric_from=1, hints=hints),
        rows=rows,
        notes=tuple(note for note in (spread_words(effects), effects.note) if note),
    )


def spread_words(effects: FactorEffects) -> str:
    """Say how much replicates scatter, whether conditions differ in that, and, if nothing was tested, why."""
    words = []
    if effects.spread is not None:
        low, high = (with_uncertainty(sd, sd) for sd in effects.spread)
        words.append(f"Standard deviations within conditions range from {low} to {high}")
        if effects.is_unequal:
            words[0] += ", more than chance explains: the unexplained part comes mostly from the noisiest conditions"
        words[0] += "."
    if effects.untested:
        words.append(f"No p-values and no intervals: {effects.untested}.")
    return " ".join(words)


def _tested_with(row: EffectRow) -> str:
    """The degrees of freedom of an F test: "2.3 and 14"."""
    if not math.isfinite(row.f_df):
        return ""
    return f"{number(row.f_df, 3)} and {number(row.error_df, 3)}"


def means_tables(effects: FactorEffects, metric: str, level: float) -> tuple[DataTable, ...]:
    """Return the main effects: a table for each factor; none for a single factor, whose levels are the conditions."""
    if sum(row.kind == "factor" for row in effects.rows) < 2:
        return ()
    by_factor: dict[str, list[LevelMean]] = {}
    for one in effects.means:
        by_factor.setdefault(one.factor, []).append(one)
    return tuple(means_table(factor, means, metric, level) for factor, means in by_factor.items())


def means_table(factor: str, means: list[LevelMean], metric: str, level: float) -> DataTable:
    """Make the table of the mean of each level of one factor over everything else."""
    digits = digits_of([one.level for one in means])
    rows = []
    for one in means[:MOST_LEVELS]:
        written, name = estimate(one.mean, one.low, one.high), setting(one.level, digits)
        is_number = isinstance(one.level, (int, float)) and not isinstance(one.level, bool)
        cells = (
            numeric(name, one.level) if is_number else text(name),
            numeric(written.value, one.mean),
            numeric(written.interval, one.high - one.low),
            numeric(str(one.n), one.n),
        )
        rows.append(Row(cells=cells))
    is_numeric = all(isinstance(one.level, (int, float)) and not isinstance(one.level, bool) for one in means)
    numbers = columns(f"Mean {metric}", f"{level_percent(level)} interval", "n")
    return DataTable(
        caption=f"Mean {metric} at each level of {factor}, over everything else.",
        columns=(Column(title=factor, is_numeric=is_numeric), *numbers),
        rows=tuple(rows),
        notes=limit_note(len(means), "level", "means.csv", MOST_LEVELS),
    )


def factor_levels(factor: Factor) -> str:
    """Say the levels of a factor in words: all of a few, the ends of many."""
    digits = digits_of(factor.levels)
    levels = [setting(level, digits) for level in factor.levels]
    scale = ", on a logarithmic scale" if factor.is_log else ""
    if not levels:
        return "no level"
    if len(levels) <= MOST_LISTED:
        return joined(levels) + scale
    if factor.is_numeric:
        return f"{len(levels)} values from {levels[0]} to {levels[-1]}{scale}"
    return f"{', '.join(levels[:MOST_LISTED])} and {len(levels) - MOST_LISTED} more"


def _hundredths(share: float) -> str:
    """Write a share of variance to the second digit after the point."""
    return with_uncertainty(share, 0.1)
