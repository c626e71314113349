"""Compare challengers with the champion: on fresh common seeds if both can be trained, else as they are recorded.

A `Contest` trains them; the caller of `promote` gives it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from rothamsted.errors import PromotionError
from rothamsted.promotion.evidence.of_champion import ChampionRecord, evidence_key
from rothamsted.promotion.evidence.of_looks import earlier_verdicts, read_look
from rothamsted.promotion.evidence.of_sweep import Candidates, on_runs, seed_of
from rothamsted.promotion.judge.looks import Look
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.judge.verdict import decide, is_champion_itself
from rothamsted.promotion.types import Evidence, Verdict
from rothamsted.spec import Objective
from rothamsted.wording import count, verb


class Contest(Protocol):
    """Trains contestants on common seeds.

    Called again with the same name it trains only what is missing, so a killed promotion can go on.
    """

    def __call__(
        self,
        *,
        name: str,
        study: str,
        contestants: Sequence[Mapping[str, Any]],
        labels: Sequence[str],
        seeds: Sequence[int],
        objective: Objective,
        storage: str,
        experiment_id: str,
        vary: Sequence[str] = (),
    ) -> Sequence[Sequence[str]]:
        """Return the run ids of the replicates, by contestant, in the order of the seeds.

        Args:
            name: Of the contest.
            study: Entry point of the study.
            contestants: Full configurations, dotted field of the study's config -> value, without the seed.
            labels: A line for each contestant, all different.
            seeds: On which each of them is trained.
            objective: What the replicates are compared by.
            storage: Database URL of the search.
            experiment_id: MLflow's experiment, in which the runs are made.
            vary: Fields that a seed sets, where that is not the training seed alone; no contestant has its own.

        Returns:
            One list for each contestant. It is shorter than `seeds` where replicates are missing, and holds diverged
            and failed ones too.

        Raises:
            UserError: It cannot be trained; one line.
            KeyboardInterrupt: It was stopped by a signal; the next call goes on.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """Holds the plan of one comparison of challengers with the champion."""

    name: str  # of the contest that trains; empty where nothing is trained
    seeds: tuple[int, ...]  # fresh and common; empty where nothing is trained
    basis: str  # SHA-256 of all that the verdict depends on: the same basis, the same verdict
    why_recorded: str  # a sentence, where the champion's recorded replicates are used; empty otherwise


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Holds the verdicts on a sweep's candidates, before anything is written."""

    meeting: Meeting
    verdicts: tuple[Verdict, ...]  # one a candidate
    compared: tuple[Evidence, ...]  # the candidates on the replicates that were compared
    champion: Evidence | None  # likewise
    policy: Policy


def judge(
    candidates: Candidates,
    record: ChampionRecord,
    policy: Policy,
    *,
    n_replicates: int,
    code_digest: str,
    contest: Contest | None,
    uri: str,
) -> Judgement:
    """Compare the candidates with the champion and decide. Both are trained if possible.

    Args:
        candidates: The candidates with their evidence.
        record: The champion, and all versions with their earlier verdicts.
        policy: The policy that judges them.
        n_replicates: Number of fresh common seeds.
        code_digest: Digest of the study's code as it is now; empty if unknown.
        contest: Trains both; None: nothing is trained, the recorded replicates give a preview.
        uri: Tracking URI.
    """
    meeting = plan_meeting(candidates, record, policy, n_replicates=n_replicates, code_digest=code_digest)
    compared, champion = candidates.evidences, record.evidence
    looks = [read_look(one, record, policy, basis=meeting.basis, uri=uri) for one in compared]
    if champion is not None:
        _check_looks(candidates, record, policy, looks)
    is_paired = bool(meeting.seeds) and contest is not None
    if champion is not None and meeting.seeds and contest is not None:
        compared, champion = _train(candidates, champion, meeting, contest, uri=uri)
    elif champion is not None:
        _check_reduce(candidates, record)
    verdicts = decide(compared, champion, policy, is_paired=is_paired, looks=looks)
    why = () if is_paired or champion is None else _why_not_trained(meeting, contest)
    if policy.is_from_outside:
        why = (*why, f"Judged by a policy from outside registry/: {policy.file}.")
    return Judgement(
        meeting=meeting if is_paired else replace(meeting, name="", seeds=()),
        verdicts=tuple(replace(verdict, reasons=(*verdict.reasons, *why)) for verdict in verdicts),
        compared=compared,
        champion=champion,
        policy=policy,
    )


def plan_meeting(
    candidates: Candidates, record: ChampionRecord, policy: Policy, *, n_replicates: int, code_digest: str
) -> Meeting:
    """Plan what is compared.

    It is a pure function, so a killed promotion makes the same plan again. Fresh seeds are greater than every seed by
    which either side was chosen or judged: those of both searches and confirmations, and of earlier comparisons. On the
    seeds on which the champion won it looks better than it is.
    """
    champion = record.evidence
    why = "" if champion is None else _why_recorded(candidates.evidences, champion, policy, code_digest)
    basis = _basis(candidates, record, policy, n_replicates=n_replicates, how=why)
    if champion is None or why or all(is_champion_itself(one, champion) for one in candidates.evidences):
        return Meeting(name="", seeds=(), basis=basis, why_recorded=why)
    earlier = [one.verdict for evidence in candidates.evidences for one in earlier_verdicts(evidence, record)]
    same = next((one for one in earlier if one.basis == basis and one.seeds), None)
    if same is not None:
        seeds = same.seeds
    else:
        known = {seed_of(run.seed, run.run_id) for run in champion.runs} | candidates.seeds | {record.largest_seed}
        known |= {seed for one in earlier for seed in one.seeds}
        known |= {seed for one in earlier_verdicts(champion, record) for seed in one.verdict.seeds}
        first = max(known) + 1
        seeds = tuple(range(first, first + n_replicates))
    short = f"{candidates.sweep.name[:40]}-against-{policy.model[:20]}"  # a name has 100 characters at most
    name = f"{short}-{record.champion}-{basis[:8]}-{seeds[0]}"
    return Meeting(name=name, seeds=seeds, basis=basis, why_recorded="")


# ---- within ----


def _train(
    candidates: Candidates, champion: Evidence, meeting: Meeting, contest: Contest, *, uri: str
) -> tuple[tuple[Evidence, ...], Evidence]:
    """Train the champion and all candidates that are not the champion itself; returns them with their replicates."""
    rivals = [one for one in candidates.evidences if not is_champion_itself(one, champion)]
    contestants = [champion, *rivals]
    vary = tuple(candidates.sweep.replicates.vary or ())
    run_ids = contest(
        name=meeting.name,
        study=str(candidates.sweep.study),
        contestants=[{field: value for field, value in one.config.items() if field not in vary} for one in contestants],
        labels=[f"champion (version {champion.version}): {champion.label}", *(one.label for one in rivals)],
        seeds=meeting.seeds,
        objective=candidates.sweep.objective,
        storage=candidates.sweep.storage,
        experiment_id=candidates.run.experiment_id,
        **({"vary": vary} if vary else {}),
    )
    if len(run_ids) != len(contestants) or any(len(of_one) != len(meeting.seeds) for of_one in run_ids):
        n_runs = sum(len(of_one) for of_one in run_ids)
        raise PromotionError(
            f"contest {meeting.name}: {n_runs} of {len(contestants) * len(meeting.seeds)} replicates "
            f"{verb(n_runs, 'has', 'have')} ended; give the same command again to go on"
        )
    trained = [on_runs(one, of_one, uri=uri) for one, of_one in zip(contestants, run_ids, strict=True)]
    by_rival = {evidence_key(rival): now for rival, now in zip(rivals, trained[1:], strict=True)}
    return tuple(by_rival.get(evidence_key(one), one) for one in candidates.evidences), trained[0]


def _why_recorded(challengers: Sequence[Evidence], champion: Evidence, policy: Policy, code_digest: str) -> str:
    """Why the champion cannot be trained again beside the challengers; empty where it can."""
    if policy.same_data == "digest" and any(one.data_digest != champion.data_digest for one in challengers):
        return "Nothing was trained, because the data differ."
    if not champion.code_digest or not code_digest:
        return "The champion was not trained again, because it is not known which code of the study trained it."
    if champion.code_digest != code_digest:
        return (
            f"The champion was not trained again, because the study's code has changed since (digest "
            f"{champion.code_digest[:12]}, now {code_digest[:12]})."
        )
    if any(one.code_digest != code_digest for one in challengers):
        return "Nothing was trained again, because the study's code has changed since the challenger's sweep."
    return ""


def _why_not_trained(meeting: Meeting, contest: Contest | None) -> tuple[str, ...]:
    if contest is None and meeting.seeds:
        n, first, last = count(len(meeting.seeds), "fresh seed"), meeting.seeds[0], meeting.seeds[-1]
        return (
            f"This is a preview: without dry_run both would be trained on {n}, {first} to {last}, and compared in "
            "pairs.",
        )
    return (meeting.why_recorded,) if meeting.why_recorded else ()


def _check_reduce(candidates: Candidates, record: ChampionRecord) -> None:
    """Refuse recorded numbers that were made from curves in different ways: they do not compare."""
    own = candidates.sweep.objective.reduce
    if own != record.reduce:
        raise PromotionError(
            f"sweep {candidates.sweep.name}: its objective.reduce is {own}, but the champion's recorded replicates "
            f"(version {record.champion}) have {record.reduce}, so the two cannot be compared; sweep with "
            f"objective.reduce: {record.reduce}"
        )


def _check_looks(candidates: Candidates, record: ChampionRecord, policy: Policy, looks: Sequence[Look]) -> None:
    """Refuse, before anything is trained, where no candidate has a look left."""
    if any(look.share for look in looks):
        return
    raise PromotionError(
        f"sweep {candidates.sweep.name}: its model was compared with version {record.champion} of model "
        f"'{policy.model}' {count(looks[0].number - 1, 'time')}, and the error rate allows no further look. The "
        "decision stands; promote a sweep that found another condition"
    )


def _basis(candidates: Candidates, record: ChampionRecord, policy: Policy, *, n_replicates: int, how: str) -> str:
    champion = record.evidence
    content = {
        "policy": policy.model_dump(mode="json", exclude={"looks"} if policy.looks is None else None),
        "challengers": sorted((evidence_key(one), one.digest()) for one in candidates.evidences),
        "champion": None if champion is None else (record.champion, evidence_key(champion), champion.digest()),
        "n_replicates": n_replicates,
        "recorded": how,
        **({"vary": list(candidates.sweep.replicates.vary)} if candidates.sweep.replicates.vary else {}),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
