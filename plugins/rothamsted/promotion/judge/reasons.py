"""Write a verdict in complete sentences, with its numbers.

The first sentence of a verdict names the decision and its reason."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rothamsted.promotion.judge.looks import last_look
from rothamsted.promotion.judge.more_replicates import MOST_MORE, More
from rothamsted.promotion.judge.numbers import ChallengerComparison, objectives
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.types import ConstraintResult, Evidence
from rothamsted.statistics import CORRECTIONS, DEFAULT_POWER, TESTS, Interval
from rothamsted.wording import count, estimate, level_percent, number, p_value, percent

OPENING = {"shown": "Promoted: the replicates show", "excluded": "Kept: the replicates exclude"}
UNDECIDED = "Undecided: the replicates neither show nor exclude"


def named(champion: Evidence) -> str:
    """Name the champion in a sentence."""
    return f"the champion (version {champion.version})" if champion.version else f"the champion ({champion.label})"


def first_champion(policy: Policy, interval: Interval | None, n_constraints: int) -> str:
    """Say promoted: there was no champion."""
    mean = (
        ""
        if interval is None
        else f" of mean {_shown(interval)} ({level_percent(interval.level)} interval, {interval.method})"
    )
    n = 0 if interval is None else interval.n
    met = f", and {count(n_constraints, 'constraint')} met" if n_constraints else ""
    return (
        "Promoted: there is no champion to compare with. The policy asks for "
        f"{count(policy.replicates, 'replicate')}, and {n} finished, with {policy.objective.metric}{mean}{met}."
    )


def champion_itself(champion: Evidence) -> str:
    """Say kept: the winner is the champion itself."""
    return f"Kept: the challenger is {named(champion)}: the same condition, code and data. There is nothing to compare."


def other_data(challenger: Evidence, champion: Evidence) -> str:
    """Say kept: the data differ."""
    return (
        f"Kept: the challenger trained on other data than {named(champion)} (digest {_digest(challenger)} against "
        f"{_digest(champion)}), and the policy compares on the same data only (same_data: digest)."
    )


def diverged(n_diverged: int, n_runs: int) -> str:
    """Say kept: a condition with a diverged replicate has no mean."""
    return (
        f"Kept: {n_diverged} of the challenger's {count(n_runs, 'replicate')} diverged. The mean of the others would "
        "be too good."
    )


def failed(n_failed: int, n_runs: int, policy: Policy) -> str:
    """Say undecided: too many replicates are missing."""
    return (
        f"Undecided: {n_failed} of the challenger's {count(n_runs, 'replicate')} failed or have no finite "
        f"{policy.objective.metric}, and the policy allows {policy.most_failed or 'none'} (most_failed): run them "
        "again."
    )


def too_few(n: int, policy: Policy, *, are_pairs: bool) -> str:
    """Say undecided: the challenger has fewer replicates, or pairs, than the policy asks for."""
    what = count(n, "pair" if are_pairs else "replicate")
    of_whom = "of challenger and champion at one seed" if are_pairs else "of the challenger"
    return (
        f"Undecided: {what} {of_whom} can be used, and the policy asks for {policy.replicates}: run "
        f"{policy.replicates - n} more."
    )


def champion_has_too_few(champion: Evidence, n: int, policy: Policy, is_paired: bool) -> str:
    """Say undecided: the champion has fewer replicates than the policy asks for."""
    which = "" if is_paired else "recorded "
    return (
        f"Undecided: {count(n, f'{which}replicate')} of {named(champion)} can be used, and the policy asks for "
        f"{policy.replicates}: {policy.replicates - n} are missing."
    )


def unmet_constraints(met: Sequence[ConstraintResult]) -> tuple[str, ...]:
    """Return a sentence for each constraint that is not met."""
    return tuple(f"The constraint {one.text} is not met: {one.reason}." for one in met if not one.is_met)


def kept(sentences: Sequence[str]) -> tuple[str, ...]:
    """Make the first sentence name the decision "kept"."""
    return (f"Kept: {sentences[0][0].lower()}{sentences[0][1:]}", *sentences[1:])


def missing_runs(evidence: Evidence) -> tuple[str, ...]:
    """Say how many replicates of a challenger do not count."""
    n_missing = len(evidence.runs) - sum(math.isfinite(value) for value in objectives(evidence))
    if not n_missing:
        return ()
    return (
        f"{n_missing} of the challenger's {count(len(evidence.runs), 'replicate')} have no value and are left out.",
    )


def measured(champion: Evidence, policy: Policy, comparison: ChallengerComparison) -> str:
    """Say what the comparison answers to the policy's question, with the numbers."""
    opening = OPENING.get(comparison.answer, UNDECIDED)
    return f"{opening} {_claim(champion, policy, comparison.threshold)}: {_numbers(policy, comparison)}."


def plan(more: More, champion: Evidence, policy: Policy, comparison: ChallengerComparison, is_paired: bool) -> str:
    """Say how many more replicates would decide an open comparison."""
    if more.obstacle == "no spread":
        return f"More replicates would not decide it: {comparison.note}; test: permutation needs no spread."
    if more.obstacle == "last look":
        return last_look(policy)
    if more.obstacle == "at the threshold":
        return (
            f"It is not known how many more replicates would decide it; {MOST_MORE} would not. The observed "
            f"improvement is about the threshold of the decision, {_threshold(comparison.threshold)}."
        )
    if more.obstacle == "recorded champion":
        return (
            f"No number of replicates of the challenger up to {MOST_MORE} would decide it: the recorded replicates of "
            f"{named(champion)} are too few."
        )
    verb = "show" if comparison.improvement > comparison.threshold else "exclude"
    of_whom = "each" if is_paired else "the challenger"
    return (
        f"About {count(more.n or 0, 'more replicate')} of {of_whom} would {verb} it with probability "
        f"{percent(DEFAULT_POWER)}, if the observed improvement and spread are the true ones."
    )


def design(champion: Evidence, policy: Policy, comparison: ChallengerComparison, is_paired: bool) -> tuple[str, ...]:
    """Say how the contestants were compared, if that is not what a reader expects."""
    sentences = []
    if not is_paired:
        is_replaced = comparison.samples.test != policy.test
        instead = f", instead of {TESTS[policy.test].label}" if is_replaced else ""
        sentences.append(
            f"Nothing is paired: the champion's recorded replicates were used, not fresh ones on common seeds "
            f"({TESTS[comparison.samples.test].label}{instead})."
        )
    if comparison.n_tests > 1:
        sentences.append(
            f"{comparison.n_tests} challengers were compared with {named(champion)}: p is corrected by "
            f"{CORRECTIONS[policy.correction].label}, and the interval's limits by Bonferroni."
        )
    if comparison.note and not (comparison.answer == "open" and math.isnan(comparison.p_value)):
        sentences.append(f"{comparison.note[0].upper()}{comparison.note[1:]}.")
    return tuple(sentences)


def missing_values(comparison: ChallengerComparison) -> tuple[str, ...]:
    """Say how many pairs or values were left out."""
    n_excluded = comparison.samples.n_excluded
    if not n_excluded:
        return ()
    if TESTS[comparison.samples.test].is_paired:
        return (f"Left out: {count(n_excluded, 'pair')} with a missing or infinite value.",)
    return (f"Left out: {count(n_excluded, 'replicate')} without a finite value.",)


def champion_diverged(champion: Evidence) -> tuple[str, ...]:
    """Say that a champion with diverged replicates is compared by its other ones, which favours it."""
    n_diverged = sum(run.outcome == "diverged" for run in champion.runs)
    if not n_diverged:
        return ()
    return (
        f"{n_diverged} of the champion's {count(len(champion.runs), 'replicate')} diverged; the comparison leaves them "
        "out, in the champion's favour.",
    )


def best_of_several(n_rivals: int, policy: Policy) -> str:
    """Say that of several challengers that pass only one is promoted."""
    return f"{count(n_rivals, 'other challenger')} passed too; this one has the best mean {policy.objective.metric}."


def runner_up(best: Evidence, sentences: Sequence[str], policy: Policy) -> tuple[str, ...]:
    """Say kept: another challenger that passes is better. Its own sentences stay."""
    passed = sentences[0].removeprefix("Promoted: ")
    first = f"Kept: it passed, and so did '{best.label}', which is promoted for its better mean"
    return (f"{first} {policy.objective.metric}.", f"{passed[0].upper()}{passed[1:]}", *sentences[1:])


def _claim(champion: Evidence, policy: Policy, threshold: float) -> str:
    whose = f"that {policy.objective.metric} is"
    if threshold < 0:
        return f"{whose} worse than that of {named(champion)} by less than {number(-threshold)}, if at all"
    by = f" by more than {number(threshold)}" if threshold else ""
    return f"{whose} better than that of {named(champion)}{by}"


def _numbers(policy: Policy, comparison: ChallengerComparison) -> str:
    samples, found = comparison.samples, comparison.difference
    if not comparison.look.share:
        return "not tested, no look is left"
    if found is None:
        return comparison.note
    low, high = sorted((policy.sign * found.low, policy.sign * found.high))
    shown = str(estimate(comparison.improvement, low, high))
    test = TESTS[samples.test]
    n_each = samples.n_each
    n = count(comparison.n, "pair") if test.is_paired else f"{n_each[0]} and {n_each[1]} replicates"
    level = level_percent(round(found.level, 6))
    p = "" if math.isnan(comparison.p_value) else f", one-sided {p_value(comparison.p_value, policy.alpha)}"
    return f"improvement {shown} ({level} interval, {test.label}, {n}){p} at level {level_percent(policy.level)}"


def _threshold(threshold: float) -> str:
    if threshold < 0:
        return f"{number(threshold)}, the margin"
    return f"{number(threshold)}{', the smallest that matters' if threshold else ''}"


def _shown(interval: Interval) -> str:
    return str(estimate(interval.estimate, interval.low, interval.high))


def _digest(evidence: Evidence) -> str:
    return evidence.data_digest[:12] or "unknown"
