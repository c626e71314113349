"""Write a judgement as text: for a version's page, for the report, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

from rothamsted.analysis.read_promotions import FOLDER
from rothamsted.metric import TEST_PREFIX
from rothamsted.printable import markdown, without_bars
from rothamsted.promotion.evidence.contest import Judgement
from rothamsted.promotion.evidence.of_champion import evidence_key
from rothamsted.promotion.evidence.of_sweep import Candidates
from rothamsted.promotion.judge.earlier_verdicts import RecordedVerdict, difference_text, jsonable
from rothamsted.promotion.types import Evidence, Verdict
from rothamsted.wording import count, level_percent, number, probability, setting

SECTION = f"{FOLDER}/verdict.md"
_FEW = 12  # seeds that are written out


@dataclass(frozen=True, kw_only=True)
class JudgedCandidate:
    """Holds one candidate of a judgement with its registered version."""

    version: str
    evidence: Evidence  # that it is registered with
    compared: Evidence  # on the replicates that were compared
    verdict: Verdict
    recorded: RecordedVerdict  # the verdict as the version carries it


def section(entries: Sequence[JudgedCandidate], judgement: Judgement) -> str:
    """Return the section of the sweep's report: policy, champion, and a verdict for each candidate."""
    policy = judgement.policy
    against = f"version {judgement.champion.version}" if judgement.champion is not None else "none"
    lines = [
        f"## Promotion to {policy.model}",
        "",
        f"Policy: {policy.objective.direction} {policy.objective.metric}, level {level_percent(policy.level)}, "
        f"smallest improvement {number(policy.smallest_improvement)}, at least "
        f"{count(policy.replicates, 'replicate')}, {policy.kind.replace('_', '-')}. Champion before: {against}.",
        "",
    ]
    for entry in entries:
        lines += [f"### Version {entry.version}: {entry.verdict.decision}", "", *_body(entry), ""]
    return "\n".join(lines)


def description(entry: JudgedCandidate) -> str:
    """Return the text on top of a version's page."""
    return "\n".join([f"## {entry.verdict.decision.capitalize()}", "", *_body(entry), ""])


def artifact(entry: JudgedCandidate, judgement: Judgement, candidates: Candidates) -> str:
    """Return a verdict with all its evidence, as JSON."""
    content: dict[str, Any] = {
        "model": judgement.policy.model,
        "version": entry.version,
        "verdict": asdict(entry.verdict),
        "judged": asdict(entry.recorded),
        "policy": judgement.policy.model_dump(mode="json"),
        "policy_file": judgement.policy.file,
        "contest": judgement.meeting.name,
        "seeds": list(judgement.meeting.seeds),
        "challenger": _evidence_json(entry.evidence),
        "challenger_compared": _evidence_json(entry.compared),
        "champion_compared": None if judgement.champion is None else _evidence_json(judgement.champion),
        "sweep": candidates.sweep.name,
        "sweep_run_id": candidates.run.run_id,
    }
    return json.dumps(jsonable(content), indent=2) + "\n"


def when(at_ms: int) -> str:
    """Return a time as pages show it."""
    return datetime.fromtimestamp(at_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _body(entry: JudgedCandidate) -> list[str]:
    verdict, evidence = entry.verdict, entry.evidence
    label = markdown(evidence.label).replace("`", "'")
    lines = [f"`{label}`", "", *(f"- {markdown(reason)}" for reason in verdict.reasons), ""]
    rows = [
        ("judged", when(entry.recorded.at_ms)),
        ("compared with", f"version {verdict.compared_with}" if verdict.compared_with else "nothing"),
        ("difference (challenger minus champion)", difference_text(verdict)),
        ("p-value", "none" if verdict.p_value is None else f"{probability(verdict.p_value)} ({verdict.test})"),
        ("replicates", f"{verdict.n} {'pairs' if verdict.is_paired else 'or more each'}"),
        ("seeds compared", _seeds([run.seed for run in entry.compared.runs])),
        ("seeds of the evidence", _seeds([run.seed for run in evidence.runs])),
        *_tested(evidence),
        ("sweep", f"{evidence.sweep}, run {evidence.sweep_run_id}"),
        ("commit", evidence.commit or "unknown"),
        ("data digest", evidence.data_digest or "none"),
        ("code digest", evidence.code_digest or "unknown"),
        ("evidence digest", evidence.digest()),
        ("configuration", ", ".join(f"{key}={setting(value)}" for key, value in evidence.config.items())),
    ]
    rows += [(f"constraint {one.text}", _constraint(one.value, one.is_met)) for one in verdict.constraints]
    lines += ["| | |", "|---|---|", *(f"| {_cell(name)} | {_cell(text)} |" for name, text in rows)]
    return lines


def _tested(evidence: Evidence) -> list[tuple[str, str]]:
    """Means of the test metrics of the evidence's models, on rows that no choice used."""
    finished = [run for run in evidence.runs if run.outcome == "finished"]
    names = sorted({name for run in finished for name in run.metrics if name.startswith(TEST_PREFIX)})
    rows = []
    for name in names:
        values = [run.metrics[name] for run in finished if name in run.metrics]
        rows.append((name, f"{number(fmean(values))} (mean of {len(values)})"))
    return rows


def _constraint(value: float, is_met: bool) -> str:
    return f"{number(value)}: {'met' if is_met else 'not met'}"


def _seeds(seeds: Sequence[str]) -> str:
    if len(seeds) <= _FEW:
        return ", ".join(seeds)
    return f"{seeds[0]} … {seeds[-1]} ({len(seeds)})"


def _cell(text: str) -> str:
    return without_bars(markdown(text))


def _evidence_json(evidence: Evidence) -> dict[str, Any]:
    return {**asdict(evidence), "key": evidence_key(evidence), "digest": evidence.digest()}
