"""Write the verdicts on conditions in words, for report, terminal, notes and tables."""

from __future__ import annotations

from rothamsted.analysis.values import Analysis, Best, Comparisons
from rothamsted.wording import GAP, count, joined, level_percent, number

METHODS = {
    "leaders": "each condition against rivals that the other seeds chose",
    "simple": "t tests, corrected by Bonferroni and Holm",
    "sign": "sign tests of all pairs on common seeds, corrected by Bonferroni and Holm",
    "trimmed": "Yuen's tests of trimmed means of all pairs, corrected by Bonferroni and Holm",
    "bounds": "order statistics of both conditions of each pair, corrected by Bonferroni and Holm",
}
CORRECTIONS = {"holm": "Holm", "bonferroni": "Bonferroni", "bh": "Benjamini-Hochberg"}
TOGETHER = ("dunnett", "tukey")  # procedures whose intervals hold together
MORE_SEEDS = "more seeds are needed to say"


def comparison_words(family: Comparisons) -> str:
    """Say how conditions were compared with a reference: "paired t, corrected by Holm"."""
    if family.correction in TOGETHER:  # the test is the correction
        return family.test
    if family.correction == "none":
        return f"{family.test}, not corrected for the number of comparisons"
    return f"{family.test}, corrected by {CORRECTIONS.get(family.correction, family.correction)}"


def intervals_words(family: Comparisons) -> str:
    """Say for what the intervals of the differences hold."""
    if family.correction in TOGETHER:
        return f"intervals that all hold together with {level_percent(family.level)} confidence"
    return f"{level_percent(family.level)} intervals, each for itself: not corrected for the number of comparisons"


def of_first(analysis: Analysis, what: str) -> str:
    """Say that a part of the report looks at the first of several objectives; empty with one."""
    if not analysis.dataset.others:
        return ""
    return f"There are several objectives: {what} only by the first, {analysis.dataset.objective.metric}."


def verdict_words(analysis: Analysis, *, with_plan: bool = True) -> str:
    """Say how many conditions may be the best, and how many are worse, as good or open; empty with one condition.

    `with_plan` adds how many seeds would decide open verdicts; `next_steps` says that with a command.
    """
    found, n_others = analysis.best, len(analysis.ranking) - 1
    if n_others < 1:
        return ""
    if found is None:
        others = "the other condition" if n_others == 1 else f"one of the other {n_others} conditions"
        why = analysis.gaps.get("best", "")
        return f"Whether {others} can be the best is not known{f': {why}' if why else ''}."
    n_can = len(found.others)
    can = f"{count(n_can, 'other condition')} cannot be ruled out as the best" if n_can else "No other can be the best"
    plan = open_words(analysis) if with_plan else ""
    parts = [
        of_first(analysis, "verdicts are"),
        f"{can} ({level_percent(found.level)} confidence).",
        _counts(found),
        _dropped(analysis, found),
        plan,
    ]
    return " ".join(part for part in parts if part)


def verdict_of(analysis: Analysis, condition: int) -> str:
    """Return the verdict on one condition for a table: "unlikely" outside the set; empty if there is none."""
    found = analysis.best
    if found is None or condition not in found.verdicts:
        return ""
    one = found.verdicts[condition]
    if condition == found.winner:
        return f"best{GAP}{analysis.over_words.replace(' ', GAP)}"
    return one.verdict if one.is_in_set or one.verdict != "open" else f"open,{GAP}unlikely"


def open_words(analysis: Analysis) -> str:
    """Say how many seeds would decide open verdicts; empty if none is open, or the number is not known."""
    found = analysis.best
    if found is None or not found.more_seeds:
        return ""
    known = [n for n in found.more_seeds.values() if n is not None]
    n_now = max((one.n for one in found.verdicts.values()), default=0)
    if not known:
        return f"What is open is too close to be decided by more seeds (now {n_now} a condition)."
    which = "what is open" if len(known) == len(found.more_seeds) else f"{len(known)} of these"
    return f"About {count(max(known), 'seed')} a condition would decide {which} (now {n_now})."


def _dropped(analysis: Analysis, found: Best) -> str:
    """How many conditions have no verdict because a race dropped them; empty without a race."""
    dropped = {one.number for one in analysis.dataset.conditions if one.dropped_after}
    n_dropped = len(dropped - found.verdicts.keys())
    return f"The race dropped {n_dropped} more, because they looked worse." if n_dropped else ""


def _counts(found: Best) -> str:
    """How many of the others have each verdict."""
    within = f" (it loses less than {number(found.smallest_difference)})" if found.smallest_difference else ""
    n_others = len(found.verdicts) - 1
    these, opened = _open_words(found)
    words = {"worse": "worse", "as good": f"as good{within}", "open": opened}
    if n_others == 1:
        [said] = [one.verdict for condition, one in found.verdicts.items() if condition != found.winner]
        return f"The other is {words[said]}." if said else ""
    each = [(len(found.having(verdict)), said) for verdict, said in words.items()]
    if alike := next((said for n, said in each if n == n_others), ""):
        is_just_named = alike == opened and these and n_others > 1
        return f"{these.capitalize() if is_just_named else 'The other '}{n_others} are {alike}."
    parts = [f"{these if said == opened else ''}{n} {'is' if n == 1 else 'are'} {said}" for n, said in each if n]
    return f"Of the other {n_others}, {joined(parts)}." if parts else ""


def _open_words(found: Best) -> tuple[str, str]:
    """What goes before the number of open conditions where they are those just named, and what is said of them."""
    is_in_set = [found.verdicts[condition].is_in_set for condition in found.having("open")]
    n_likely, n_unlikely = sum(is_in_set), len(is_in_set) - sum(is_in_set)
    these = ("this " if n_likely == 1 else "these ") if n_likely == len(found.others) else ""
    if not n_unlikely:
        return these, f"open: {MORE_SEEDS}"
    if not n_likely:
        return "", f"open, but probably not the best: {MORE_SEEDS}"
    are = "is" if n_unlikely == 1 else "are"
    return "", f"open, {these}{n_likely} and {n_unlikely} that {are} probably not the best: {MORE_SEEDS}"
