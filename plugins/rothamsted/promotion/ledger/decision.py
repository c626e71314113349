"""Define the outcome of a promotion as a value, for the terminal and for a sweep that promotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rothamsted.promotion.evidence.contest import Judgement
from rothamsted.promotion.evidence.of_champion import ChampionRecord
from rothamsted.promotion.evidence.of_sweep import Candidates
from rothamsted.promotion.judge.earlier_verdicts import RecordedVerdict, read_verdicts
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.types import Decision, Evidence


@dataclass(frozen=True, kw_only=True)
class Decided:
    """Holds what was decided about one candidate."""

    label: str
    version: str  # empty in a dry run of what is not registered yet
    decision: Decision
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PromotionOutcome:
    """Holds the outcome of a promotion."""

    model: str
    sweep: str
    sweep_run_id: str
    experiment_id: str
    decided: tuple[Decided, ...]  # one a candidate
    champion_before: str | None  # version
    champion_after: str | None
    is_dry_run: bool
    was_champion: bool  # the winner was champion already: nothing was written
    mark: str = ""  # what a reader has to know of the sweep


def nothing_to_do(candidates: Candidates, record: ChampionRecord, policy: Policy, *, dry_run: bool) -> PromotionOutcome:
    """Return the earlier decision if the winner is champion already, by the same runs."""
    found = []
    for evidence in candidates.evidences:
        version = record.version_of(evidence)
        verdicts = read_verdicts(version)[-1:] if version is not None else []
        found += [decided(evidence, version.version, one) for one in verdicts if version is not None]
    return outcome(
        candidates, policy.model, found, record.champion, record.champion, is_dry_run=dry_run, was_champion=True
    )


def previewed(candidates: Candidates, record: ChampionRecord, judgement: Judgement) -> PromotionOutcome:
    """Return the outcome that a promotion would have. Nothing was written."""
    found = []
    for evidence, verdict in zip(candidates.evidences, judgement.verdicts, strict=True):
        version = record.version_of(evidence)
        number = "" if version is None else version.version
        found.append(Decided(label=evidence.label, version=number, decision=verdict.decision, reasons=verdict.reasons))
    model, champion = judgement.policy.model, record.champion
    return outcome(candidates, model, found, champion, champion, is_dry_run=True)


def decided(evidence: Evidence, version: str, recorded: RecordedVerdict) -> Decided:
    """Return one candidate with its recorded verdict."""
    return Decided(label=evidence.label, version=version, decision=recorded.decision, reasons=recorded.reasons)


def outcome(
    candidates: Candidates,
    model: str,
    found: Sequence[Decided],
    before: str | None,
    after: str | None,
    *,
    is_dry_run: bool,
    was_champion: bool = False,
) -> PromotionOutcome:
    """Make the outcome from sweep, model and champion."""
    return PromotionOutcome(
        model=model,
        sweep=candidates.sweep.name,
        sweep_run_id=candidates.run.run_id,
        experiment_id=candidates.run.experiment_id,
        decided=tuple(found),
        champion_before=before,
        champion_after=after,
        is_dry_run=is_dry_run,
        was_champion=was_champion,
        mark=candidates.mark,
    )
