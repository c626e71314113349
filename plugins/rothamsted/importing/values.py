"""What every source gives: runs as plain frozen values, with no library behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rothamsted.records import MetricPoint, RunStatus


@dataclass(frozen=True, kw_only=True)
class ImportedRun:
    """One run as its source has it. Names and texts are as they were written: the writer makes them fit MLflow.

    Attributes:
        source_id: which run of its source this is; the same each time that the source is read, also when the folder
            was moved, where the tool gives an id. The same id in the same experiment is imported once.
        name: what MLflow shows; empty: the last part of `source_id`.
        params: the configuration, flat: `optimizer.lr` -> "0.1", as `flat.flat_texts` makes it.
        points: the history, read once, in any order. A run of a million points need not be in memory.
        summary: numbers of the whole run. One that the history ends with is not written again.
        tags: other texts. Names that begin with `mlflow.` or `rothamsted.` are kept below `imported.`.
        description: Markdown that MLflow shows on top of the run.
        start_ms: milliseconds since 1970, UTC.
        end_ms: the same; None: it is not known, or the run goes on.
        state: as it was there. A run that still goes on is brought up to date by the next import.
        files: small files and folders that become artifacts below `files/`.
        notes: one line for each thing that could not be taken over as it was; read once the points are over.
        revision: changes when the run has changed at its source, such as the size of its files; another one than was
            imported brings the run up to date.
        metric: what the source judges its runs by; empty: it does not say.
        direction: of that, minimize or maximize; empty: it does not say.

    Example:
        >>> ImportedRun(source_id="wandb:lab/digits/1a2b3c", points=[MetricPoint("loss", 0.5, 1700000000000, 10)]).state
        <RunStatus.FINISHED: 'FINISHED'>
    """

    source_id: str
    name: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    points: Iterable[MetricPoint] = ()
    summary: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    start_ms: int = 0
    end_ms: int | None = None
    state: RunStatus = RunStatus.FINISHED
    files: Sequence[Path] = ()
    notes: Sequence[str] = ()
    revision: str = ""
    metric: str = ""
    direction: str = ""


@dataclass(frozen=True, kw_only=True)
class UnreadRun:
    """A run of a source that cannot be read at all: it is said, and the others come.

    Attributes:
        reason: one line with the name of the file.
    """

    reason: str
