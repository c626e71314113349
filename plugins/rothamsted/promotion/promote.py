"""Judge the confirmed winners of a sweep, record the verdicts, and move the champion's alias if they say so.

Slow work happens before the lock. Under the lock the champion is read again, everything is written, and the alias moves
last. A promotion that dies leaves the old champion, and the same command completes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from rothamsted import tags, tracking
from rothamsted.errors import PromotionError, UserError
from rothamsted.holders import is_alive, new_worker_id
from rothamsted.promotion.evidence.contest import Contest, Judgement, judge
from rothamsted.promotion.evidence.of_champion import (
    KEY,
    ROLLED_BACK,
    ChampionRecord,
    check_unaltered,
    evidence_key,
    evidence_tags,
    read_champion_record,
    said_of_rollback,
)
from rothamsted.promotion.evidence.of_looks import read_look
from rothamsted.promotion.evidence.of_sweep import Candidates, read_candidates
from rothamsted.promotion.evidence.signature import check_signatures, signature_tag, signing_key
from rothamsted.promotion.judge.earlier_verdicts import artifact_path, read_verdicts, verdict_tags, verdict_to_record
from rothamsted.promotion.judge.limits import metrics_of
from rothamsted.promotion.judge.policy import Policy
from rothamsted.promotion.judge.verdict import representative
from rothamsted.promotion.ledger.changes import ChampionChange, change_tag, next_number, read_changes
from rothamsted.promotion.ledger.decision import PromotionOutcome, decided, nothing_to_do, outcome, previewed
from rothamsted.promotion.ledger.texts import SECTION, JudgedCandidate, artifact, description, section
from rothamsted.promotion.types import Evidence
from rothamsted.tracking.registry.change import AliasMovedError, Change, apply
from rothamsted.tracking.registry.found import FoundVersion
from rothamsted.tracking.registry.model_lock import Lock, is_sql, locked
from rothamsted.tracking.registry.registered import ModelRegistry

PROMOTION = "rothamsted.promotion"  # tag of the sweep's run: the decision on each of its winners
MOST_ROUNDS = 10  # comparisons made in vain, because the champion changed meanwhile, before this gives up


def promote(
    sweep: str,
    policy: Policy,
    *,
    registry: ModelRegistry,
    contest: Contest,
    code_digest: Callable[[str], str],
    report: Callable[..., Any],
    dry_run: bool = False,
    n_replicates: int | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> PromotionOutcome:
    """Judge the confirmed winners of a sweep, record the verdicts, and move the champion if they say so.

    Args:
        sweep: Name of the sweep, or id of its run.
        policy: The policy that judges.
        registry: Where the model is, and the tracking store of the runs.
        contest: Trains champion and challengers on common fresh seeds.
        code_digest: Study -> digest of its code as it is now; empty if unknown.
        dry_run: Write nothing and train nothing; a champion is compared by its recorded replicates.
        n_replicates: Number of fresh common seeds, at least the policy's number, which is the default.
        say: Gets a line for the user, such as that a verdict is made again.
        report: Writes the sweep's report anew, as `publish_verdicts` does. It is called when the verdict is recorded
            and the champion has moved: drawing takes seconds and needs no lock.

    Raises:
        PromotionError: Promotion is refused; nothing is recorded.
        StoreError: The registry or the store does not answer; no alias has moved.
    """
    registry.check_reachable()
    n = _checked_replicates(n_replicates, policy)
    candidates = read_candidates(sweep, policy, uri=registry.tracking_uri)
    check_signatures(registry, policy.model, signing_key(), say)
    _check_models(candidates.evidences, registry)
    for _ in range(MOST_ROUNDS):
        record = read_champion_record(registry, policy)
        _check_versions(candidates.evidences, record)
        if _is_champion(candidates.evidences, record):
            if not dry_run:
                _report(candidates, report, say, uri=registry.tracking_uri)
            return nothing_to_do(candidates, record, policy, dry_run=dry_run)
        judgement = judge(
            candidates,
            record,
            policy,
            n_replicates=n,
            code_digest=code_digest(str(candidates.sweep.study)),
            contest=None if dry_run else contest,
            uri=registry.tracking_uri,
        )
        if dry_run:
            return previewed(candidates, record, judgement)
        try:
            made = _write(candidates, record, judgement, registry)
        except AliasMovedError as error:
            say(f"{error}: the verdict is made again")
            continue
        _report(candidates, report, say, uri=registry.tracking_uri)
        return made
    raise _overtaken(policy, candidates)


# ---- checks ----


def _overtaken(policy: Policy, candidates: Candidates) -> PromotionError:
    return PromotionError(
        f"model '{policy.model}': its champion changed {MOST_ROUNDS} times while sweep {candidates.sweep.name} was "
        "compared with it; give the same command again when the others are done"
    )


def _checked_replicates(n_replicates: int | None, policy: Policy) -> int:
    n = policy.replicates if n_replicates is None else n_replicates
    if n < policy.replicates:
        raise PromotionError(
            f"replicates={n}: the policy of model '{policy.model}' asks for at least {policy.replicates}; give "
            "that many"
        )
    return n


def _check_models(candidates: Sequence[Evidence], registry: ModelRegistry) -> None:
    """Refuse candidates whose representative replicate has no model, before anything is trained."""
    for evidence in candidates:
        stands = representative(evidence)
        place = f"sweep {evidence.sweep}: run {stands.run_id} (seed {stands.seed}), which stands for '{evidence.label}'"
        if not stands.model_uri:
            run = tracking.find_run(stands.run_id, uri=registry.tracking_uri)
            problem = "" if run is None else run.tags.get(tags.MODEL_PROBLEM, "")
            why = f" ({problem})" if problem else ""
            raise PromotionError(
                f"{place}, has no model{why}; sweep with models: confirmed, and see that the study returns its models"
            )
        if not registry.has_logged_model(stands.model_uri):
            raise PromotionError(f"{place}: its model {stands.model_uri} was deleted; run the sweep again")


def _check_versions(candidates: Sequence[Evidence], record: ChampionRecord) -> None:
    """Refuse candidates that were registered before, and altered or rolled back since."""
    for evidence in candidates:
        version = record.version_of(evidence)
        if version is None:
            continue
        check_unaltered(evidence, version)
        if ROLLED_BACK in version.tags:
            raise PromotionError(
                f"version {version.version} of model '{version.model}', made from sweep {evidence.sweep}, was rolled "
                f"back ({said_of_rollback(version.tags[ROLLED_BACK])}); run the sweep again under another name for "
                f"new evidence, or remove the version's tag {ROLLED_BACK}"
            )


def _is_champion(candidates: Sequence[Evidence], record: ChampionRecord) -> bool:
    """Whether one of the candidates is the champion, by the same runs: then all of them are judged already."""
    champion = record.evidence
    return champion is not None and evidence_key(champion) in {evidence_key(one) for one in candidates}


# ---- writing ----


def _write(
    candidates: Candidates, record: ChampionRecord, judgement: Judgement, registry: ModelRegistry
) -> PromotionOutcome:
    """Under the lock: read again, register, record, and move the alias last.

    Raises:
        AliasMovedError: The champion is another one than that of the verdict.
    """
    policy = judgement.policy
    registry.create_model(policy.model)
    with locked(registry, policy.model, new_worker_id(), is_alive=is_alive) as lock:
        _check_champion_unchanged(registry, record, judgement)
        _check_looks_unchanged(registry, candidates, judgement)
        entries = _register(candidates, judgement, registry)
        _write_to_sweep(entries, candidates, judgement, registry)
        promoted = next((entry for entry in entries if entry.verdict.decision == "promoted"), None)
        if promoted is not None:
            _move(promoted, record, judgement, registry, lock)
    after = record.champion if promoted is None else promoted.version
    found = [decided(entry.evidence, entry.version, entry.recorded) for entry in entries]
    return outcome(candidates, policy.model, found, record.champion, after, is_dry_run=False)


def _check_champion_unchanged(registry: ModelRegistry, record: ChampionRecord, judgement: Judgement) -> None:
    alias = judgement.policy.aliases.champion
    now = registry.model(judgement.policy.model).aliases.get(alias)
    if now != record.champion:
        was, by_now = (f"version {one}" if one else "nobody" for one in (record.champion, now))
        raise AliasMovedError(f"model '{judgement.policy.model}': {alias} was {was} and is {by_now} now")


def _check_looks_unchanged(registry: ModelRegistry, candidates: Candidates, judgement: Judgement) -> None:
    """Another promotion of the same challenger may have spent its look meanwhile: then this one is the next."""
    policy = judgement.policy
    now = read_champion_record(registry, policy)
    for evidence, verdict in zip(candidates.evidences, judgement.verdicts, strict=True):
        look = read_look(evidence, now, policy, basis=judgement.meeting.basis, uri=registry.tracking_uri)
        if verdict.share and look.number != verdict.look:
            raise AliasMovedError(
                f"model '{policy.model}': '{evidence.label}' was judged by another promotion meanwhile, so this is "
                f"look {look.number} and not {verdict.look}"
            )


def _register(candidates: Candidates, judgement: Judgement, registry: ModelRegistry) -> list[JudgedCandidate]:
    """Register each candidate with its verdict; a version that an earlier promotion made of it is used again."""
    known = {version.tags.get(KEY): version for version in registry.versions(judgement.policy.model)}
    at_ms = time.time_ns() // 1_000_000
    entries = []
    for evidence, compared, verdict in zip(candidates.evidences, judgement.compared, judgement.verdicts, strict=True):
        version = known.get(evidence_key(evidence)) or _new_version(evidence, candidates, judgement, registry)
        registry.link_logged_model(version)
        recorded = verdict_to_record(
            read_verdicts(version),
            verdict,
            basis=judgement.meeting.basis,
            seeds=judgement.meeting.seeds,
            sweep=evidence.sweep,
            at_ms=at_ms,
        )
        entry = JudgedCandidate(
            version=version.version, evidence=evidence, compared=compared, verdict=verdict, recorded=recorded
        )
        signed = signature_tag(recorded, version, signing_key())
        registry.tag_version(version.model, version.version, {**verdict_tags(recorded, verdict), **signed})
        registry.describe_version(version.model, version.version, description(entry))
        entries.append(entry)
    return entries


def _new_version(
    evidence: Evidence, candidates: Candidates, judgement: Judgement, registry: ModelRegistry
) -> FoundVersion:
    stands = representative(evidence)
    policy = judgement.policy
    return registry.create_version(
        policy.model,
        model_uri=stands.model_uri,
        run_id=stands.run_id,
        tags=evidence_tags(
            evidence,
            reduce=candidates.sweep.objective.reduce,
            largest_seed=max(candidates.seeds),
            metrics=metrics_of(policy.constraints),
        ),
    )


def _write_to_sweep(
    entries: Sequence[JudgedCandidate], candidates: Candidates, judgement: Judgement, registry: ModelRegistry
) -> None:
    model, run_id = judgement.policy.model, candidates.run.run_id
    with tracking.open_recorder(registry.tracking_uri) as recorder:
        for entry in entries:
            path = artifact_path(model, entry.version, entry.recorded.number)
            recorder.log_text(run_id, artifact(entry, judgement, candidates), path)
        recorder.log_text(run_id, section(entries, judgement), SECTION)
        said = "; ".join(f"{model} version {entry.version}: {entry.verdict.decision}" for entry in entries)
        recorder.log(run_id, tags={PROMOTION: said[:5000]})


def _report(candidates: Candidates, report: Callable[..., Any], say: Callable[[str], None], *, uri: str) -> None:
    """Write the report. If that fails, say so; the verdict stands."""
    try:
        report(candidates.run.run_id, candidates.sweep, uri=uri)
    except UserError as error:
        say(f"the verdict is on record, but the report of sweep {candidates.sweep.name} was not written again: {error}")


def _move(
    promoted: JudgedCandidate, record: ChampionRecord, judgement: Judgement, registry: ModelRegistry, lock: Lock
) -> None:
    """Move the champion's alias, keep the old champion under its own alias, and record why; one change."""
    policy, old = judgement.policy, record.champion
    written = read_changes(registry.model(policy.model).tags)
    entry = ChampionChange(
        number=next_number(written),
        kind="promotion",
        at_ms=time.time_ns() // 1_000_000,
        alias=policy.aliases.champion,
        old=old,
        new=promoted.version,
        reason=promoted.verdict.reasons[0],
        is_certain=is_sql(registry),
    )
    previous = {policy.aliases.previous: old} if old is not None else {}
    change = Change(
        model=policy.model,
        expect={policy.aliases.champion: old},
        aliases={**previous, policy.aliases.champion: promoted.version},
        model_tags=change_tag(entry),
    )
    apply(registry, change, lock)
