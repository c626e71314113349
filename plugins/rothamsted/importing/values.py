"""Define what every source gives: runs as frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rothamsted.records import MetricPoint, RunStatus


@dataclass(frozen=True, kw_only=True)
class ImportedRun:
    """Holds one run as its source has it. Names and texts are the original ones: the writer fits them to MLflow.

    Attributes:
        source_id: id of the run within its source, the same at each reading; if the tool gives ids, also after the
            folder was moved. The same id in the same experiment is imported once.
        name: what MLflow shows; empty: the last part of `source_id`.
        params: the configuration, flat: `optimizer.lr` -> "0.1", as `flat.flat_texts` makes it.
        points: the history, read once, in any order. A run of a million points need not be in memory.
        summary: numbers of the whole run. A number with which the history ends is not written again.
        tags: other texts. Names that begin with `mlflow.` or `rothamsted.` are kept below `imported.`.
        description: Markdown that MLflow shows on top of the run.
        start_ms: milliseconds since 1970, UTC.
        end_ms: the same; None: it is not known, or the run goes on.
        state: state at the source. A run that still goes on is updated by the next import.
        files: small files and folders that become artifacts below `files/`.
        notes: one line for each thing that could not be imported as it was; read after the last point.
        revision: changes when the run changes at its source, such as the size of its files. Another revision than the
            imported one updates the run.
        metric: metric that the source judges its runs by; empty: unknown.
        direction: its direction, minimize or maximize; empty: unknown.

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
    """Says that a run of a source cannot be read. The others are imported.

    Attributes:
        reason: one line with the name of the file.
    """

    reason: str
