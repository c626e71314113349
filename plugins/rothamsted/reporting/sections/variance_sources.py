"""Write the section on what intervals are about: what varies between replicates, and the variance of each source."""

from __future__ import annotations

from rothamsted.analysis.replicates_words import apart_words, conditional_words, field_words
from rothamsted.analysis.values import Analysis
from rothamsted.reporting.parts import Column, DataTable, Part, Row, gap, numeric, paragraphs, text
from rothamsted.statistics.sources import SourceShares
from rothamsted.wording import GAP, MISSING, count, level_percent, percent

HINTS = {
    "alone": "of the variance between trainings of one condition",
    "differences": "of the variance of the difference between two conditions trained with the same numbers",
}


def variance_sources(analysis: Analysis) -> tuple[Part, ...]:
    """Say what intervals are conditional on, and show the shares of variance by source, or why there are none."""
    words = conditional_words(analysis.dataset)
    why = analysis.gaps.get("sources", "")
    if analysis.sources is None:
        return (*paragraphs(words), *(gap(f"No shares of variance by source: {why}.") if why else ()))
    counted = f"{apart_words(analysis.dataset.crossed)}: as many as the shortest source has numbers."
    return (*paragraphs(f"{words} {counted[0].upper()}{counted[1:]}"), _table(analysis.sources, analysis))


def _table(found: SourceShares, analysis: Analysis) -> DataTable:
    differences = analysis.sources_of_differences
    of_differences = {one.source: one for one in differences.shares} if differences else {}
    rows = []
    for one in found.shares:
        cells = [text(field_words(one.source))]
        for share in (one, of_differences.get(one.source)):
            written = MISSING if share is None else percent(share.share)
            ends = MISSING if share is None else f"{percent(share.low)} to {percent(share.high)}"
            cells += [
                numeric(written, None if share is None else share.share),
                numeric(ends, None if share is None else share.high - share.low),
            ]
        rows.append(Row(cells=tuple(cells)))
    interval = f"{level_percent(found.level)} interval"
    columns = (
        Column(title="Source"),
        *(Column(title=title, is_numeric=True, hint=HINTS["alone"]) for title in ("Of a training", interval)),
        *(Column(title=title, is_numeric=True, hint=HINTS["differences"]) for title in ("Of a difference", interval)),
    )
    over = f"{count(found.n_conditions, 'condition')} of {found.n_replicates}{GAP}trainings"
    return DataTable(
        caption=f"Shares of variance by source, over {over}.",
        columns=columns,
        rows=tuple(rows),
        notes=(
            "The rest is what no single source explains: what sources do together, and what is not repeatable. With "
            "few numbers of a source its share is known very roughly, and is more often too small than too large.",
        ),
    )
