"""Read what a process measures and leaves: in MLflow, in report lines, or in the last line of its output.

All of it becomes metrics and artifacts of the process's own MLflow run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from rothamsted.foreign.command_line import OUTPUT_FOLDER
from rothamsted.foreign.process import Exit
from rothamsted.foreign.report_lines import VARIABLE, ReportFile, points_of_last_line
from rothamsted.records import MetricPoint, RunStatus
from rothamsted.tracking import Recorder, find_run, read_history

REPORT_FILE = "report.jsonl"
OUTPUT = "output.txt"  # artifact: standard output and standard error of the process
THREE_WAYS = (
    "nothing was logged: log it with MLflow, with rothamsted.report (or a JSON object a line in the file "
    f"${VARIABLE}), or print a JSON object as the last line"
)
_OWN_ENDS = (RunStatus.FAILED, RunStatus.KILLED)


@dataclass(kw_only=True)
class LeftBehind:
    """Finds the traces of one process.

    Attributes:
        run_id: its run.
        uri: of the tracking store.
        recorder: writes the run.
        folder: for files of this process alone; absolute, made and removed here.
        now_ms: the clock.
    """

    run_id: str
    uri: str
    recorder: Recorder
    folder: Path
    now_ms: Callable[[], int]
    _report: ReportFile = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._report = ReportFile(path=self.folder / REPORT_FILE)

    @property
    def log_path(self) -> Path:
        """Say where its output goes."""
        return self.folder / OUTPUT

    @property
    def variables(self) -> dict[str, str]:
        """Return what the process sees of it."""
        return {VARIABLE: str(self._report.path)}

    def follow(self, *, is_over: bool = False) -> None:
        """Log what it has reported since the last call; a server that is away is not waited for.

        Raises:
            ReportError: a line that is no report.
        """
        if points := self._report.read(self.now_ms(), is_over=is_over):
            self.recorder.log(self.run_id, metrics=points)
            self.recorder.pass_on()

    def keep_files(self) -> None:
        """Keep its output and the content of its folder as artifacts."""
        if self.log_path.is_file() and self.log_path.stat().st_size:
            text = self.log_path.read_text(encoding="utf-8", errors="replace")
            self.recorder.log_text(self.run_id, text, OUTPUT)
        for path in sorted((self.folder / OUTPUT_FOLDER).glob("*")):
            self.recorder.log_file(self.run_id, path, path.name if path.is_dir() else "")

    def history(self, wanted: Collection[str], tail: str) -> list[MetricPoint]:
        """Return all that its run has; of a process that logged none of the wanted metrics also its last line.

        Args:
            wanted: names of metrics.
            tail: the end of its output.

        Raises:
            ReportError: a number in the last line has a name that no metric can have.
        """
        self.recorder.flush()
        points = read_history([self.run_id], uri=self.uri, patience=self.recorder.patience)[self.run_id]
        if any(point.key in wanted for point in points):
            return points
        there = {(point.key, point.step) for point in points}
        last = [p for p in points_of_last_line(tail, self.now_ms()) if (p.key, p.step) not in there]
        self.recorder.log(self.run_id, metrics=last)
        return [*points, *last]

    def own_failure(self, ended: Exit) -> str:
        """Return what its run says if it ended as failed although the process ended well; empty: nothing."""
        if ended.code != 0 or ended.reason:
            return ""
        run = find_run(self.run_id, uri=self.uri, patience=self.recorder.patience)
        return f"it ended its own MLflow run as {run.status}" if run is not None and run.status in _OWN_ENDS else ""

    def remove(self) -> None:
        """Remove its folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
