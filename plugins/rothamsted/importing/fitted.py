"""Fit one run of a source to what MLflow can hold: names, texts and numbers, with notes on what was changed.

- A name: characters that MLflow does not take become `_`. A name that is too long is cut, with eight digits of its
  hash. Names that would become equal get a number.
- A text that is too long is cut; the artifact `imported.json` has all of it. Secrets of addresses become stars.
- NaN and infinity stay what they are: MLflow's store keeps them.
- A tag of MLflow's or of ours is kept below `imported.`, so that a source can fake neither.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from rothamsted.caps import MOST_IMPORTED_NAMES
from rothamsted.importing.values import ImportedRun
from rothamsted.masking import masked
from rothamsted.recordable import MAX_NAME, MAX_PARAM, MAX_STEP, MAX_TAG, ROOM_OF_METRIC, name_fault, recordable
from rothamsted.records import MetricPoint
from rothamsted.wording import plain_count, verb

_RESERVED = ("mlflow.", "rothamsted.")
_CUT = " …"
_MOST_NAMED = 5  # names in a note


class FittedRun:
    """Holds what MLflow gets of one run.

    Attributes:
        params, tags: as they are written.
        long_texts: name -> the full text of texts that were cut.
    """

    def __init__(self, run: ImportedRun) -> None:
        self._run = run
        self._metrics: dict[str, str] = {}
        self._renamed: list[str] = []
        self._n_dropped = 0
        self.long_texts: dict[str, str] = {}
        self.params = self._fitted(run.params, "param", MAX_PARAM)
        given = {f"imported.{name}" if name.startswith(_RESERVED) else name: text for name, text in run.tags.items()}
        self.tags = self._fitted(given, "tag", MAX_TAG)

    @property
    def name(self) -> str:
        """Return the name of the run, never empty."""
        text = " ".join(recordable(self._run.name or self._run.source_id.rpartition("/")[2]).split())
        return (masked(text) or "imported")[: MAX_NAME - 8]  # room for what tells equal names apart

    @property
    def identity(self) -> str:
        """Say which run of its source it is, in at most 250 characters."""
        text = masked(self._run.source_id)
        return text if len(text) <= MAX_NAME and not name_text_fault(text) else f"sha256:{_digest(text, 64)}"

    @property
    def description(self) -> str:
        """Return the text on top of the run; empty: none."""
        return _cut(masked(recordable(self._run.description)), MAX_TAG)

    def point(self, point: MetricPoint, usual_ms: int) -> MetricPoint | None:
        """Return a point under a name that MLflow takes; None for one that it cannot hold.

        Args:
            point: the point of the source.
            usual_ms: time for points without one.
        """
        name = self._metric(point.key)
        step, time = point.step, point.timestamp_ms
        if name is None or type(step) is not int or not -MAX_STEP <= step < MAX_STEP:
            self._n_dropped += 1
            return None
        return MetricPoint(name, float(point.value), time if 0 < time < MAX_STEP else usual_ms, step)

    def notes(self) -> list[str]:
        """Return all notes on the run, after its last point."""
        lines = [recordable(masked(line)) for line in self._run.notes]
        if self._renamed:
            shown = "; ".join(self._renamed[:_MOST_NAMED])
            more = f" and {len(self._renamed) - _MOST_NAMED} more" if len(self._renamed) > _MOST_NAMED else ""
            lines.append(f"renamed in MLflow: {shown}{more}")
        if self.long_texts:
            lines.append(
                f"too long for MLflow, whole in imported.json: {', '.join(list(self.long_texts)[:_MOST_NAMED])}"
            )
        if self._n_dropped:
            points = f"{plain_count(self._n_dropped, 'point')} {verb(self._n_dropped, 'is', 'are')}"
            lines.append(f"{points} left out: MLflow cannot hold the step, or there are too many metrics")
        if self._run.end_ms is not None and 0 < self._run.end_ms < self._run.start_ms:
            lines.append("its source says that it ended before it began; in MLflow it ends when it begins")
        return lines

    def _metric(self, key: str) -> str | None:
        if key not in self._metrics:
            if len(self._metrics) == MOST_IMPORTED_NAMES:
                return None
            self._metrics[key] = self._named("metric", key, set(self._metrics.values()), ROOM_OF_METRIC)
        return self._metrics[key]

    def _fitted(self, texts: Mapping[str, Any], kind: str, most: int) -> dict[str, str]:
        natural = {name for name in texts if not name_fault(name)}
        found: dict[str, str] = {}
        for name, value in list(texts.items())[:MOST_IMPORTED_NAMES]:
            own = name if name in natural else self._named(kind, name, natural | found.keys(), 0)
            text = masked(recordable(value if isinstance(value, str) else str(value)))
            if len(text) > most:
                self.long_texts[own] = text
            found[own] = _cut(text, most)
        return found

    def _named(self, kind: str, name: str, taken: set[str], room: int) -> str:
        fitted = fitted_name(name, room)
        plain, number = fitted, 2
        while fitted in taken:
            fitted, number = f"{plain[: MAX_NAME - room - 8]}_{number}", number + 1
        if fitted != name:
            self._renamed.append(f"{kind} {name[:60]!r} is {fitted[:60]}")
        return fitted


def fitted_name(name: str, room: int = 0) -> str:
    """Return a name that MLflow takes.

    Args:
        name: the original name.
        room: number of characters that are added to it elsewhere.

    Example:
        >>> fitted_name("lr+warmup"), fitted_name("a//b/"), fitted_name("../up"), fitted_name("")
        ('lr_warmup', 'a/b', '_/up', '_')
    """
    if name and not name_fault(name, room=room):
        return name
    parts = [re.sub(r"[^\w.\- :]", "_", part) for part in name.split("/")]
    plain = "/".join("_" if part.strip(". ") == "" else part for part in parts if part) or "_"
    most = MAX_NAME - room
    return plain if len(plain) <= most else f"{plain[: most - 9].rstrip('/')}-{_digest(name, 8)}"


def name_text_fault(text: str) -> bool:
    """Say whether a text cannot be the value of a tag as it is."""
    return recordable(text) != text


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - len(_CUT)] + _CUT


def _digest(text: str, n_digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:n_digits]
