"""Write the section on the Pareto set: its members, and how sure the place of each condition is."""

from __future__ import annotations

from rothamsted.analysis.values import Analysis, ParetoSet
from rothamsted.reporting.parts import Column, DataTable, Part, Row, columns, gap, numeric, paragraphs, text
from rothamsted.reporting.sentences import capital, sentence, short_labels
from rothamsted.reporting.tables.cells import MOST_ROWS, interval_title, limit_note, mean_estimate
from rothamsted.wording import GAP, MISSING, count, level_percent, percent

FREQUENCY_HINT = "share of resamples whose Pareto set has the condition"


def pareto_section(analysis: Analysis) -> tuple[Part, ...]:
    """Show members, means with intervals, and conditions that may belong; nothing with one objective."""
    if not analysis.dataset.others:
        return ()
    found = analysis.pareto
    if found is None:
        return gap("No condition has a place in the ranking, so that there is no Pareto set.")
    why = analysis.gaps.get("pareto", "")
    return (
        *paragraphs(_how_sure(found, analysis.level)),
        *(gap(capital(sentence(why))) if why else ()),
        _table(analysis, found),
    )


def uncertain(found: ParetoSet, level: float) -> list[int]:
    """Return the conditions with an uncertain place by resampling, in the order of the ranking."""
    return [number for number, share in found.frequency.items() if 1 - level < share < level]


def _how_sure(found: ParetoSet, level: float) -> str:
    if not found.frequency:
        return ""
    open_ones = uncertain(found, level)
    least, most = percent(1 - level), percent(level)
    if open_ones:
        shown = ", ".join(map(str, open_ones[:20])) + (", ..." if len(open_ones) > 20 else "")
        who = (
            f"{count(len(open_ones), 'condition')} may or may not belong to it: in the set in {least} to {most} of them"
        )
        who = f"{who}: {shown}."
    else:
        who = f"Every condition is either in it or not in it in {most} of them or more."
    return (
        f"The replicates were drawn again many times ({found.method}), for all objectives and conditions together. The "
        f"set was exactly this one in {percent(found.whole)} of these resamples. {who} Such a share is not the "
        "probability that a condition belongs to the true set. Constraints and pruning are kept as they were."
    )


def _table(analysis: Analysis, found: ParetoSet) -> DataTable:
    """Members first, then the conditions that resamples do not rule out."""
    possible = [
        n for n in analysis.ranking if n not in found.members and found.frequency.get(n, 0) >= 1 - analysis.level
    ]
    shown = [*found.members, *possible]
    objectives = (analysis.dataset.objective, *analysis.dataset.others)
    summaries = [{one.condition: one for one in of_one} for of_one in (analysis.objective, *analysis.others)]
    labels = short_labels(analysis)
    rows = []
    for number in shown[:MOST_ROWS]:
        share = found.frequency.get(number)
        cells = [
            numeric(str(number), number),
            text(labels.get(number, "")),
            text("yes" if number in found.members else "no"),
            numeric(MISSING if share is None else percent(share), share),
        ]
        for of_one in summaries:
            written, width = mean_estimate(of_one[number])
            cells += [
                numeric(written.value, of_one[number].statistics.get("mean")),
                numeric(written.interval, width),
            ]
        rows.append(Row(cells=tuple(cells)))
    header, _ = interval_title([of_one[n] for of_one in summaries for n in shown], analysis.level)
    titles = [title for one in objectives for title in (f"Mean {one.metric}", header)]
    sure = (Column(title="In the set"), Column(title="In resamples", is_numeric=True, hint=FREQUENCY_HINT))
    others = f", then those in it in {percent(1 - analysis.level)} of the resamples or more" if possible else ""
    ways = "; ".join(
        f"{one.metric}: {'less' if one.direction == 'minimize' else 'more'} is better" for one in objectives
    )
    return DataTable(
        caption=f"The Pareto set, {found_words(found)}{others}. {ways}.",
        columns=(Column(title="No.", is_numeric=True), Column(title="Condition"), *sure, *columns(*titles)),
        rows=tuple(rows),
        notes=(
            f"Each interval is for one mean of one condition ({level_percent(analysis.level)}), not for all together.",
            *limit_note(len(shown), "condition", "pareto.csv"),
        ),
    )


def found_words(found: ParetoSet) -> str:
    """Say how many conditions there are in it."""
    return f"{len(found.members)}{GAP}{'condition' if len(found.members) == 1 else 'conditions'}"
