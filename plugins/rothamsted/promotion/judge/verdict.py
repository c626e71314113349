"""Decide about each challenger: promoted, kept (the champion stays) or undecided, and why.

It is a pure function of evidence and policy: nothing is read, trained or written. `numbers` computes, and `reasons` has
the sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rothamsted.errors import DataError, SpecError
from rothamsted.metric import declared
from rothamsted.promotion.judge import reasons
from rothamsted.promotion.judge.limits import check_constraints
from rothamsted.promotion.judge.looks import Look, look_sentence, plan_look
from rothamsted.promotion.judge.more_replicates import more_replicates
from rothamsted.promotion.judge.numbers import ChallengerComparison, compare_all, objectives
from rothamsted.promotion.judge.policy import LEAST_REPLICATES, Policy
from rothamsted.promotion.judge.skewed import skewed
from rothamsted.promotion.types import ConstraintResult, Decision, Evidence, EvidenceRun, Verdict
from rothamsted.statistics import DEFAULT_LEVEL, TESTS, mean_interval

DECISION_OF: dict[str, Decision] = {"shown": "promoted", "excluded": "kept", "open": "undecided"}


@dataclass(frozen=True, kw_only=True)
class _Ruling:
    """A decision on the way to a verdict."""

    decision: Decision
    sentences: tuple[str, ...]
    more: int | None = None


def decide(
    challengers: Sequence[Evidence],
    champion: Evidence | None,
    policy: Policy,
    *,
    is_paired: bool,
    looks: Sequence[Look] | None = None,
) -> list[Verdict]:
    """Decide about each challenger.

    Args:
        challengers: the evidence for each, on seeds that the search did not use.
        champion: the champion's evidence; None if no version has the alias.
        policy: the policy.
        is_paired: whether contestants ran on common fresh seeds; else the champion's replicates are recorded ones.
        looks: one for each challenger; None: each has its first look.

    Returns:
        One verdict for each challenger, in their order; at most one is "promoted".

    Raises:
        SpecError: the policy is for another metric, study or sweep.
        DataError: a seed occurs twice in evidence although seeds make pairs.
    """
    check_policy_fits(policy, challengers, champion)
    met = [check_constraints(one, policy.constraints, level=policy.level) for one in challengers]
    if champion is None:
        verdicts = [_alone(one, policy, results) for one, results in zip(challengers, met, strict=True)]
        merits = [policy.sign * _mean(one) for one in challengers]
    else:
        looks = [plan_look(policy)] * len(challengers) if looks is None else looks
        verdicts, merits = _against(challengers, champion, policy, met, looks, is_paired)
    return _at_most_one(verdicts, merits, challengers, policy)


def check_policy_fits(policy: Policy, challengers: Sequence[Evidence], champion: Evidence | None) -> None:
    """Raise SpecError unless the policy judges evidence of this metric, study and sweep."""
    for evidence in (*challengers, *((champion,) if champion is not None else ())):
        what = f"the evidence of '{evidence.label}' in sweep '{evidence.sweep}'"
        if evidence.metric != policy.objective.metric:
            raise SpecError(
                f"policy of model '{policy.model}': objective.metric is {policy.objective.metric}, but {what} is of "
                f"{evidence.metric}; give a policy for that metric, or sweep for the policy's"
            )
        if policy.study is not None and evidence.study != policy.study:
            raise SpecError(
                f"policy of model '{policy.model}': study is {policy.study}, but {what} is of study "
                f"{evidence.study}; give the policy of that study"
            )
    for evidence in challengers:
        if policy.sweep is not None and evidence.sweep != policy.sweep:
            raise SpecError(
                f"policy of model '{policy.model}': sweep is {policy.sweep}, but the challenger '{evidence.label}' "
                f"comes from sweep '{evidence.sweep}'; give another policy, or take the key away"
            )


def representative(evidence: Evidence) -> EvidenceRun:
    """Return the replicate that represents a model: the median by the objective, never the best.

    Of an even number it is the lower of the two in the middle. Ties are broken by run id.

    Raises:
        DataError: there are fewer than three finished replicates, so the median could be the best.
    """
    values = objectives(evidence)
    finite = [(float(value), run) for value, run in zip(values, evidence.runs, strict=True) if math.isfinite(value)]
    if len(finite) < LEAST_REPLICATES:
        raise DataError(
            f"evidence of '{evidence.label}' in sweep '{evidence.sweep}': of {len(finite)} finished replicates none "
            f"is in the middle; confirm it on at least {LEAST_REPLICATES} seeds"
        )
    finite.sort(key=lambda pair: (pair[0], pair[1].run_id))
    return finite[(len(finite) - 1) // 2][1]


def is_champion_itself(challenger: Evidence, champion: Evidence) -> bool:
    """Return whether a challenger has the champion's condition, code and data. Unknown code is never the same."""
    return (
        challenger.study == champion.study
        and dict(challenger.config) == dict(champion.config)
        and challenger.code_digest == champion.code_digest != ""
        and challenger.data_digest == champion.data_digest
    )


def _alone(challenger: Evidence, policy: Policy, met: tuple[ConstraintResult, ...]) -> Verdict:
    """No champion: the challenger has to meet the policy, and nothing is compared."""
    values = objectives(challenger)
    n = int(np.isfinite(values).sum())
    ruling = _shortcoming(challenger, policy, n, met, are_pairs=False)
    if ruling is None:
        declared_as = declared(challenger.metrics, policy.objective.metric)
        interval = mean_interval(values, level=policy.level, metric=declared_as)
        sentences = (reasons.first_champion(policy, interval, len(met)), *reasons.missing_runs(challenger))
        ruling = _Ruling(decision="promoted", sentences=sentences)
    return Verdict(
        decision=ruling.decision,
        reasons=ruling.sentences,
        level=policy.level,
        n=n,
        more_replicates=ruling.more,
        constraints=met,
    )


def _against(
    challengers: Sequence[Evidence],
    champion: Evidence,
    policy: Policy,
    met: Sequence[tuple[ConstraintResult, ...]],
    looks: Sequence[Look],
    is_paired: bool,
) -> tuple[list[Verdict], list[float]]:
    """Compare the challengers that can be compared, and decide about each; merits are improvements."""
    refused = [_incomparable(one, champion, policy) for one in challengers]
    members = [(one, look) for one, look, why in zip(challengers, looks, refused, strict=True) if not why]
    rivals, their_looks = [one for one, _ in members], [look for _, look in members]
    compared = iter(compare_all(rivals, champion, policy, their_looks, is_paired=is_paired))
    verdicts, merits = [], []
    for challenger, sentence, results in zip(challengers, refused, met, strict=True):
        comparison = None if sentence else next(compared)
        if comparison is None:
            ruling = _Ruling(decision="kept", sentences=(sentence,))
        else:
            samples = comparison.samples
            are_pairs = TESTS[samples.test].is_paired
            ruling = _shortcoming(challenger, policy, samples.n_each[0], results, are_pairs=are_pairs)
            ruling = ruling or _compared(champion, policy, comparison, is_paired)
        verdicts.append(_verdict(ruling, champion, policy, comparison, results, is_paired))
        merits.append(math.nan if comparison is None else comparison.improvement)
    return verdicts, merits


def _incomparable(challenger: Evidence, champion: Evidence, policy: Policy) -> str:
    """Why two models are not compared at all, whatever their results; empty where they are."""
    if is_champion_itself(challenger, champion):
        return reasons.champion_itself(champion)
    if policy.same_data == "digest" and challenger.data_digest != champion.data_digest:
        return reasons.other_data(challenger, champion)
    return ""


def _shortcoming(
    challenger: Evidence, policy: Policy, n: int, met: Sequence[ConstraintResult], *, are_pairs: bool
) -> _Ruling | None:
    """What keeps a challenger from promotion by itself; None where nothing does.

    Args:
        challenger: its evidence.
        policy: its rules.
        n: replicates of the challenger that count.
        met: the result of each constraint.
        are_pairs: whether n counts pairs with the champion.
    """
    n_runs = len(challenger.runs)
    n_diverged = sum(run.outcome == "diverged" for run in challenger.runs)
    n_failed = n_runs - n_diverged - int(np.isfinite(objectives(challenger)).sum())
    unmet = reasons.unmet_constraints(met)
    if n_diverged:
        return _Ruling(decision="kept", sentences=(reasons.diverged(n_diverged, n_runs), *unmet))
    if n_failed > policy.most_failed:
        sentence = reasons.failed(n_failed, n_runs, policy)
        return _Ruling(decision="undecided", sentences=(sentence, *unmet), more=n_failed)
    if n < policy.replicates:
        sentences = (reasons.too_few(n, policy, are_pairs=are_pairs), *reasons.missing_runs(challenger), *unmet)
        return _Ruling(decision="undecided", sentences=sentences, more=policy.replicates - n)
    if unmet:
        return _Ruling(decision="kept", sentences=reasons.kept(unmet))
    return None


def _compared(champion: Evidence, policy: Policy, comparison: ChallengerComparison, is_paired: bool) -> _Ruling:
    """Decide by the comparison, for a challenger that has no shortcoming of its own."""
    samples = comparison.samples
    details = (
        *look_sentence(comparison.look, policy, comparison.n_pairs),
        *reasons.design(champion, policy, comparison, is_paired),
        *reasons.missing_values(comparison),
        *reasons.champion_diverged(champion),
        *skewed(comparison),
    )
    n_champion = samples.n_each[1]
    if n_champion < policy.replicates:
        sentence = reasons.champion_has_too_few(champion, n_champion, policy, is_paired)
        return _Ruling(decision="undecided", sentences=(sentence, *details), more=policy.replicates - n_champion)
    first = reasons.measured(champion, policy, comparison)
    if comparison.answer != "open":
        return _Ruling(decision=DECISION_OF[comparison.answer], sentences=(first, *details))
    more = more_replicates(comparison, policy, is_champion_fixed=not is_paired)
    plan = reasons.plan(more, champion, policy, comparison, is_paired)
    return _Ruling(decision="undecided", sentences=(first, plan, *details), more=more.n)


def _verdict(
    ruling: _Ruling,
    champion: Evidence,
    policy: Policy,
    comparison: ChallengerComparison | None,
    met: tuple[ConstraintResult, ...],
    is_paired: bool,
) -> Verdict:
    verdict = Verdict(
        decision=ruling.decision,
        reasons=ruling.sentences,
        compared_with=champion.version,
        is_paired=is_paired,
        level=policy.level,
        more_replicates=ruling.more,
        constraints=met,
    )
    if comparison is None:
        return verdict
    return replace(
        verdict,
        difference=comparison.difference,
        p_value=None if math.isnan(comparison.p_value) else comparison.p_value,
        test=TESTS[comparison.samples.test].label,
        look=comparison.look.number,
        share=comparison.look.share,
        n=comparison.n,
    )


def _at_most_one(
    verdicts: Sequence[Verdict], merits: Sequence[float], challengers: Sequence[Evidence], policy: Policy
) -> list[Verdict]:
    """Of several that pass, the one with the best mean is promoted; the first of equals."""
    passed = [index for index, verdict in enumerate(verdicts) if verdict.decision == "promoted"]
    if len(passed) < 2:
        return list(verdicts)
    best = max(passed, key=lambda index: (merits[index], -index))
    result = list(verdicts)
    for index in passed:
        said = verdicts[index].reasons
        if index == best:
            result[index] = replace(verdicts[index], reasons=(*said, reasons.best_of_several(len(passed) - 1, policy)))
        else:
            sentences = reasons.runner_up(challengers[best], said, policy)
            result[index] = replace(verdicts[index], decision="kept", reasons=sentences)
    return result


def _mean(evidence: Evidence) -> float:
    interval = mean_interval(objectives(evidence), level=DEFAULT_LEVEL)
    return math.nan if interval is None else interval.estimate
