"""Write one section of the log: hypothesis, differences from the baseline, result with intervals and verdict, links."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rothamsted import tracking
from rothamsted.analysis.compared import reference_of
from rothamsted.analysis.values import Analysis, Condition
from rothamsted.printable import markdown
from rothamsted.publish.description import answer, estimate_text
from rothamsted.reporting.sentences import numbered, pareto_words, short_labels, summary_of, without_mean
from rothamsted.reporting.verdicts import verdict_of
from rothamsted.space import is_equal_value
from rothamsted.spec.comment import headed
from rothamsted.wording import setting

UNCHANGED = "Nothing."
TO_LEARN = "*(to be written)*"
NO_HYPOTHESIS = "none was written down"
_LEARNED = "<!-- rothamsted: what follows is yours -->"
_GIVEN = "<!-- given -->"
_BEGIN = re.compile(r"^<!-- rothamsted: sweep (?P<run>\S+) (?P<digest>[0-9a-f]{12}) -->\n", re.MULTILINE)
_HYPOTHESIS = re.compile(rf"^\*\*Hypothesis:\*\* (?P<text>.*) {_GIVEN}$", re.MULTILINE)
_MOST_LISTED = 50  # parameters that differ


@dataclass(frozen=True, kw_only=True)
class LogSection:
    """Holds what the log says about one sweep, each text as Markdown.

    Attributes:
        run_id: of the sweep's run: what makes a section that of a sweep.
        title: its name.
        date: of its last result, YYYY-MM-DD in UTC.
        hypothesis: what was expected.
        is_given: somebody wrote it for the log; else it is the sweep file's question.
        compared: what the changes are of, and against what.
        changes: a line a parameter.
        result: paragraphs.
        links: a line.
        learned: what its reader wrote.
    """

    run_id: str
    title: str
    date: str
    hypothesis: str
    is_given: bool
    compared: str
    changes: tuple[str, ...]
    result: tuple[str, ...]
    links: str
    learned: str = TO_LEARN

    @property
    def text(self) -> str:
        """Return the section as it stands in the file, with the marks by which it is found again."""
        own = _digest(self)
        changes = [f"- {line}" for line in self.changes] or [UNCHANGED]
        lines = [
            f"<!-- rothamsted: sweep {self.run_id} {own} -->",
            f"## {self.title} ({self.date})",
            "",
            f"**Hypothesis:** {self.hypothesis}{f' {_GIVEN}' if self.is_given else ''}",
            "",
            f"**{self.compared}:**",
            "",
            *changes,
            "",
            "**Result:**",
            *(line for paragraph in self.result for line in ("", paragraph)),
            "",
            self.links,
            "",
            "**What was learned:**",
            _LEARNED,
            "",
            self.learned,
            "",
            _end(self.run_id),
        ]
        return "\n".join(lines) + "\n"


def section_of(
    analysis: Analysis, *, uri: str, hypothesis: str | None = None, defaults: Mapping[str, Any] | None = None
) -> LogSection:
    """Return the section of a sweep.

    Args:
        analysis: Of the sweep, as far as it is.
        uri: Tracking URI, for the links.
        hypothesis: None: the sweep file's question.
        defaults: Dotted parameter -> default of what is trained; None: not known.
    """
    dataset = analysis.dataset
    ended = max((one.ended_ms for one in dataset.replicates), default=0)
    compared, changes = _changes(analysis, defaults)
    asked = _line(hypothesis or _expected(dataset.question)) or NO_HYPOTHESIS
    page = tracking.run_link(uri, dataset.experiment_id, dataset.run_id)
    trials = tracking.sweep_link(uri, dataset.experiment_id, dataset.run_id)
    return LogSection(
        run_id=dataset.run_id,
        title=markdown(dataset.name),
        date=datetime.fromtimestamp(ended / 1000, UTC).date().isoformat(),
        hypothesis=markdown(asked),
        is_given=bool(hypothesis),
        compared=_line(compared),
        changes=changes,
        result=_result(analysis),
        links=f"[Result, report and plots]({page}), [trials]({trials}); {_code(tracking.ui_command(uri))} opens them. "
        f"As files: {_code(f'rothamsted export {dataset.name}')}.",
    )


def put_in(text: str, section: LogSection) -> str | None:
    """Return the text of a log with a section: in place of the same sweep's section, else at the end.

    The reader's text on what was learned stays, and so does an earlier given hypothesis if none is given now.

    Returns:
        The text; None if it has the section of this result already.

    Raises:
        ValueError: the section of the sweep has no end.
    """
    found = next((one for one in _BEGIN.finditer(text) if one["run"] == section.run_id), None)
    if found is None:
        head = text.rstrip("\n")
        return f"{head}\n\n{section.text}" if head else f"{_HEAD}\n{section.text}"
    end = text.find(_end(section.run_id), found.end())
    if end < 0:
        raise ValueError(f"its section of sweep {section.title} has lost the line {_end(section.run_id)}")
    old = text[found.start() : end]
    kept = section
    if not section.is_given and (given := _HYPOTHESIS.search(old)):
        kept = replace(section, hypothesis=given["text"], is_given=True)
    if found["digest"] == _digest(kept):
        return None
    _, mark, learned = old.partition(f"{_LEARNED}\n")
    if mark:
        kept = replace(kept, learned=learned.strip("\n"))
    after = text[end + len(_end(section.run_id)) :]
    return text[: found.start()] + kept.text.rstrip("\n") + after


_HEAD = (
    "# Experiment log\n\nRothamsted writes one section for each sweep. *What was learned* is yours: it stays when a "
    "section is written again.\n"
)


def _digest(section: LogSection) -> str:
    """Of what a section says, the date and the links left aside."""
    parts = (section.hypothesis, section.compared, *section.changes, *section.result)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _end(run_id: str) -> str:
    return f"<!-- rothamsted: end of {run_id} -->"


def _expected(question: str) -> str:
    """What a sweep file's opening comment asks, and what it expects; all of a comment without these words."""
    said = dict(headed(question))
    asked, expected = said.get("Question", said.get("", "")), said.get("Expected", "")
    return f"{asked} Expected: {expected}" if asked and expected else asked or expected or question


def _line(text: str) -> str:
    """A text of several lines in one."""
    return " ".join(text.split())


def _changes(analysis: Analysis, defaults: Mapping[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    """What is compared with which baseline, in words, and what differs."""
    dataset, reference = analysis.dataset, analysis.dataset.statistics.reference
    best = _condition(analysis, analysis.ranking[0]) if analysis.ranking else None
    chosen = dict(best.values) if best is not None else {}
    own = "The best condition" if best is not None else "What the sweep fixes,"
    if reference is not None and best is not None:
        number, _ = reference_of(dataset, reference)
        if number is not None:
            before = _condition(analysis, number).values
            named = f"the reference, {numbered(number)} ({markdown(short_labels(analysis).get(number, ''))})"
            return f"{own} against {named}", _differences(before, chosen)
    used = {**dataset.fixed, **chosen}
    if defaults is None:
        lines = _capped([f"{_code(name)}: {_code(setting(value))}" for name, value in used.items()])
        return f"{own.rstrip(',')} (the defaults are not known here)", lines
    return f"{own} against the study's defaults", _differences(defaults, used)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    lines = []
    for name in after:
        if name not in before:
            lines.append(f"{_code(name)}: {_code(setting(after[name]))} (it has no default)")
        elif not is_equal_value(before[name], after[name]):
            lines.append(f"{_code(name)}: {_code(setting(before[name]))} → {_code(setting(after[name]))}")
    return _capped(lines)


def _capped(lines: list[str]) -> tuple[str, ...]:
    more = len(lines) - _MOST_LISTED
    return (*lines[:_MOST_LISTED], *([f"and {more} more"] if more > 0 else []))


def _code(text: str) -> str:
    """A text as code in Markdown."""
    clean = markdown(_line(text)).replace("`", "'")
    return f"`{clean}`"


def _result(analysis: Analysis) -> tuple[str, ...]:
    found = [] if analysis.dataset.is_complete else ["The sweep is not finished; these are its results so far."]
    found += [line for line in answer(analysis) if line]
    found += [words] if (words := pareto_words(analysis)) else []
    if not analysis.ranking:
        found.append(f"There is no best condition. {without_mean(analysis)}".strip())
    found += _of_reference(analysis)
    return tuple(markdown(_line(line)) for line in found)


def _of_reference(analysis: Analysis) -> list[str]:
    """What came of the reference that the sweep file names."""
    wanted = analysis.dataset.statistics.reference
    number = reference_of(analysis.dataset, wanted)[0] if wanted is not None else None
    one = summary_of(analysis, number) if number is not None else None
    if number is None or one is None:
        return []
    verdict = verdict_of(analysis, number)
    metric = analysis.dataset.objective.metric
    told = f"The reference, {numbered(number)}: {metric} {estimate_text(one.interval, one)}"
    return [f"{told}, verdict {verdict}." if verdict else f"{told}."]


def _condition(analysis: Analysis, number: int) -> Condition:
    return next(one for one in analysis.dataset.conditions if one.number == number)
