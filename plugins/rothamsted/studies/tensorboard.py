"""Write a run as TensorBoard files: scalars, pictures among the artifacts, hyper-parameters.

The package `tensorboard` is an extra, imported only on request. Points from before an interruption are not written
twice.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, final

from rothamsted.errors import StudyError
from rothamsted.records import Measured
from rothamsted.studies.artifacts import Contents

FOLDER = "tensorboard"
PNG = b"\x89PNG\r\n\x1a\n"
COLOURS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # of a PNG: its colour type -> TensorBoard's number of channels
HPARAMS = "_hparams_/session_start_info"
_WITHOUT = "tensorboard: the package tensorboard is not installed; pip install 'tensorboard>=2.20', or leave it out"


def check_tensorboard() -> None:
    """Refuse a mirror where the package is not installed.

    Raises:
        StudyError: it is not; the line says how to install it.
    """
    import importlib.util

    if importlib.util.find_spec("tensorboard") is None:
        raise StudyError(_WITHOUT)


@final
class EventFile:
    """Writes one run into a folder of its own; what the folder has already is not added again.

    Raises:
        StudyError: the package is not installed, or the folder cannot be written.
    """

    def __init__(self, folder: Path, params: Mapping[str, Any], *, started_seconds: float) -> None:
        check_tensorboard()
        from tensorboard.plugins.hparams import summary_v2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        # What protobuf makes of its messages is known when it runs, not before.
        self._summary: Any = import_module("tensorboard.compat.proto.summary_pb2").Summary
        self._event: Any = import_module("tensorboard.compat.proto.event_pb2").Event
        try:
            self._there = set(_points(folder))  # (tag, step)
            self._writer = EventFileWriter(str(folder))
        except OSError as error:
            raise StudyError(f"{folder}: cannot be written ({error.strerror}); leave tensorboard out") from error
        if (HPARAMS, 0) not in self._there:
            hparams = {name: _as_hparam(value) for name, value in params.items()}
            summary = summary_v2.hparams_pb(hparams, trial_id=folder.name, start_time_secs=started_seconds)
            self._add(summary, 0, started_seconds)

    def log(self, measured: Measured) -> None:
        """Add the metrics of a measurement."""
        new = {tag: value for tag, value in measured.metrics.items() if (tag, measured.step) not in self._there}
        if new:
            values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in new.items()]
            self._add(self._summary(value=values), measured.step, measured.timestamp_ms / 1000)

    def show(self, measured: Measured, contents: Contents) -> None:
        """Add the pictures among the artifacts of a measurement: its PNG files."""
        for path, content in contents.items():
            if not (isinstance(content, bytes) and content.startswith(PNG)) or (path, measured.step) in self._there:
                continue
            width, height = struct.unpack(">II", content[16:24])  # of the header chunk, which is the first
            image = self._summary.Image(
                height=height, width=width, colorspace=COLOURS.get(content[25], 3), encoded_image_string=content
            )
            value = self._summary.Value(tag=path, image=image)
            self._add(self._summary(value=[value]), measured.step, measured.timestamp_ms / 1000)

    def close(self) -> None:
        """Bring everything to the disk."""
        self._writer.close()

    def _add(self, summary: Any, step: int, wall_seconds: float) -> None:
        self._writer.add_event(self._event(wall_time=wall_seconds, step=step, summary=summary))


def _points(folder: Path) -> Iterator[tuple[str, int]]:
    """(tag, step) of all that a folder holds; a record that was cut off by a kill ends its file."""
    if not folder.is_dir():
        return
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                yield value.tag, event.step


def _as_hparam(value: Any) -> bool | float | str:
    """A value as TensorBoard takes one: numbers, truth values and text."""
    return value if isinstance(value, bool | int | float | str) else str(value)
