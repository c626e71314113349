"""Champion and challengers side by side: on fresh common seeds where they can be trained, else as they are recorded.

Apart from the decision, which is pure, and from the record: this says what is compared, and has it trained.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from rothamsted.errors import PromotionError
from rothamsted.promotion.evidence.of_champion import Standing, evidence_key
from rothamsted.promotion.evidence.of_sweep import Candidates, on_runs, seed_of
from rothamsted.promotion.judge.earlier_verdicts import Judged, read_judged
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.judge.verdict import decide, is_same_model
from rothamsted.promotion.types import Evidence, Verdict
from rothamsted.spec import Objective
from rothamsted.wording import count, percent


class Contest(Protocol):
    """Trains contestants on common seeds; the same name again finds what is trained already."""

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
    ) -> Sequence[Sequence[str]]:
        """Return the run ids of the replicates, by contestant, in the order of the seeds.

        Args:
            name: Of the contest.
            study: Entry point of the study.
            contestants: Full configurations, dotted name -> value, without seed.
            labels: A line for each.
            seeds: On which each of them is trained.
            objective: What the replicates are compared by.
            storage: Database URL of the search.
            experiment_id: MLflow's folder of runs.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Bout:
    """What is compared, and how."""

    name: str  # of the contest; empty where nothing is trained
    seeds: tuple[int, ...]  # fresh and common; empty where nothing is trained
    basis: str  # SHA-256 of all that the verdict depends on: the same basis, the same verdict
    why_recorded: str  # a sentence, where the champion's recorded replicates are used; empty otherwise


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The verdicts on a sweep's candidates, before anything is written."""

    bout: Bout
    verdicts: tuple[Verdict, ...]  # one a candidate
    compared: tuple[Evidence, ...]  # the candidates on the replicates that were compared
    champion: Evidence | None  # likewise
    policy: Policy


def judge(
    candidates: Candidates,
    standing: Standing,
    policy: Policy,
    *,
    n_replicates: int,
    code_digest: str,
    contest: Contest | None,
    uri: str,
) -> Judgement:
    """Compare the candidates with the champion, training both where that is possible, and decide.

    Args:
        candidates: With their evidence.
        standing: Champion, and what was judged before.
        policy: That judges.
        n_replicates: Fresh common seeds.
        code_digest: Of the study's code as it is now; empty where unknown.
        contest: Trains; None: nothing is trained, the recorded replicates give a preview.
        uri: Tracking URI.
    """
    bout = plan_bout(candidates, standing, policy, n_replicates=n_replicates, code_digest=code_digest)
    compared, champion = candidates.evidences, standing.evidence
    is_paired = bool(bout.seeds) and contest is not None
    if champion is not None and bout.seeds and contest is not None:
        compared, champion = _train(candidates, champion, bout, contest, uri=uri)
    elif champion is not None:
        _check_reduce(candidates, standing)
    verdicts = decide(compared, champion, policy, is_paired=is_paired)
    why = () if is_paired or champion is None else _why_not_trained(bout, contest)
    return Judgement(
        bout=bout if is_paired else replace(bout, name="", seeds=()),
        verdicts=tuple(
            replace(verdict, reasons=(*verdict.reasons, *_earlier(one, standing, bout, policy), *why))
            for one, verdict in zip(candidates.evidences, verdicts, strict=True)
        ),
        compared=compared,
        champion=champion,
        policy=policy,
    )


def plan_bout(
    candidates: Candidates, standing: Standing, policy: Policy, *, n_replicates: int, code_digest: str
) -> Bout:
    """Say what is to be compared: a pure function, so that a promotion that was killed plans the same again.

    Fresh seeds are greater than every seed that has had a say in either side's standing: those of both searches
    and confirmations, and of earlier comparisons. On those by which the champion won it looks better than it is.
    """
    champion = standing.evidence
    why = "" if champion is None else _why_recorded(candidates.evidences, champion, policy, code_digest)
    basis = _basis(candidates, standing, policy, n_replicates=n_replicates, how=why)
    if champion is None or why or all(is_same_model(one, champion) for one in candidates.evidences):
        return Bout(name="", seeds=(), basis=basis, why_recorded=why)
    earlier = [one for evidence in candidates.evidences for one in _judged(evidence, standing)]
    same = next((one for one in earlier if one.basis == basis and one.seeds), None)
    if same is not None:
        seeds = same.seeds
    else:
        known = {seed_of(run.seed, run.run_id) for run in champion.runs} | candidates.seeds | {standing.largest_seed}
        known |= {seed for one in (*earlier, *_judged(champion, standing)) for seed in one.seeds}
        first = max(known) + 1
        seeds = tuple(range(first, first + n_replicates))
    short = f"{candidates.sweep.name[:40]}-against-{policy.model[:20]}"  # a name has 100 characters at most
    name = f"{short}-{standing.champion}-{basis[:8]}-{seeds[0]}"
    return Bout(name=name, seeds=seeds, basis=basis, why_recorded="")


# ---- within ----


def _train(
    candidates: Candidates, champion: Evidence, bout: Bout, contest: Contest, *, uri: str
) -> tuple[tuple[Evidence, ...], Evidence]:
    """Train the champion and all candidates that are not the champion itself; returns them with their replicates."""
    rivals = [one for one in candidates.evidences if not is_same_model(one, champion)]
    contestants = [champion, *rivals]
    run_ids = contest(
        name=bout.name,
        study=str(candidates.sweep.study),
        contestants=[one.config for one in contestants],
        labels=[f"champion (version {champion.version}): {champion.label}", *(one.label for one in rivals)],
        seeds=bout.seeds,
        objective=candidates.sweep.objective,
        storage=candidates.sweep.storage,
        experiment_id=candidates.run.experiment_id,
    )
    if len(run_ids) != len(contestants) or any(len(of_one) != len(bout.seeds) for of_one in run_ids):
        n_runs = sum(len(of_one) for of_one in run_ids)
        raise PromotionError(
            f"contest {bout.name}: {n_runs} of {len(contestants) * len(bout.seeds)} replicates have ended; give the "
            "same command again to go on"
        )
    trained = [on_runs(one, of_one, uri=uri) for one, of_one in zip(contestants, run_ids, strict=True)]
    by_rival = {evidence_key(rival): now for rival, now in zip(rivals, trained[1:], strict=True)}
    return tuple(by_rival.get(evidence_key(one), one) for one in candidates.evidences), trained[0]


def _why_recorded(challengers: Sequence[Evidence], champion: Evidence, policy: Policy, code_digest: str) -> str:
    """Why the champion cannot be trained again beside the challengers; empty where it can."""
    if policy.same_data == "digest" and any(one.data_digest != champion.data_digest for one in challengers):
        return "Nothing was trained, because the data differ."
    if not champion.code_digest or not code_digest:
        return "The champion was not trained again, because it is not known which code of the study it was trained by."
    if champion.code_digest != code_digest:
        return (
            f"The champion was not trained again, because the study's code has changed since (digest "
            f"{champion.code_digest[:12]}, now {code_digest[:12]})."
        )
    if any(one.code_digest != code_digest for one in challengers):
        return "Nothing was trained again, because the study's code has changed since the challenger's sweep."
    return ""


def _why_not_trained(bout: Bout, contest: Contest | None) -> tuple[str, ...]:
    if contest is None and bout.seeds:
        n, first, last = count(len(bout.seeds), "fresh seed"), bout.seeds[0], bout.seeds[-1]
        return (
            f"This is a preview: without dry_run both would be trained on {n}, {first} to {last}, and compared in "
            "pairs.",
        )
    return (bout.why_recorded,) if bout.why_recorded else ()


def _check_reduce(candidates: Candidates, standing: Standing) -> None:
    """Recorded numbers compare only where curves became numbers in one way."""
    own = candidates.sweep.objective.reduce
    if own != standing.reduce:
        raise PromotionError(
            f"sweep {candidates.sweep.name}: its objective is the {own} of the curve, that of the champion's recorded "
            f"replicates (version {standing.champion}) the {standing.reduce}: they do not compare; sweep with "
            f"objective.reduce: {standing.reduce}"
        )


def _earlier(evidence: Evidence, standing: Standing, bout: Bout, policy: Policy) -> tuple[str, ...]:
    """A sentence on earlier looks at the same pair: each one had its own chance to be wrong."""
    others = [
        one
        for one in _judged(evidence, standing)
        if one.basis != bout.basis and one.compared_with and one.compared_with == standing.champion
    ]
    if not others:
        return ()
    return (
        f"It was judged against version {standing.champion} {count(len(others), 'time')} before, under another policy "
        f"or on other seeds; each look has its own chance of {percent(policy.alpha)} at most to promote a model that "
        "is not better.",
    )


def _judged(evidence: Evidence, standing: Standing) -> list[Judged]:
    version = standing.version_of(evidence)
    return [] if version is None else read_judged(version)


def _basis(candidates: Candidates, standing: Standing, policy: Policy, *, n_replicates: int, how: str) -> str:
    champion = standing.evidence
    content = {
        "policy": policy.model_dump(mode="json"),
        "challengers": sorted((evidence_key(one), one.digest()) for one in candidates.evidences),
        "champion": None if champion is None else (standing.champion, evidence_key(champion), champion.digest()),
        "n_replicates": n_replicates,
        "recorded": how,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
