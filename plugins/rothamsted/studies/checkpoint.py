"""Write and read the checkpoints of one population: written atomically, checked when read, the last two kept.

A checkpoint is one safetensors file. Its name has its number and the SHA-256 of its content, so that a damaged or
incomplete file is noticed. The file has the study's arrays, every measurement and the training time so far, and names
the study and the configs.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from pydantic import BaseModel

from rothamsted.errors import StudyError
from rothamsted.given_files import reading
from rothamsted.records import Measured, Outcome, Stopped
from rothamsted.studies.checkpoint_files import WAY_OUT, CheckpointFiles, Folder
from rothamsted.studies.fields import flatten

N_KEPT = 2  # the newest, and the one before it in case the newest is damaged
FORMAT = "rothamsted-checkpoint-2"
_NAME = re.compile(r"(?P<number>\d{8})-(?P<digest>[0-9a-f]{64})\.safetensors")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Holds a population at one measurement: all that is needed to go on from it."""

    state: Mapping[str, np.ndarray]  # the study's own arrays
    histories: tuple[tuple[Measured, ...], ...]  # one a member
    stopped: tuple[Stopped | None, ...]  # one a member; None: it is running
    seconds: float  # training time so far
    setup_seconds: float = 0.0  # set-up time so far: imports, data, compilation


@final
@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Keeps the checkpoints of one population, and knows how often to write one."""

    folder: Path | CheckpointFiles  # of this machine, or elsewhere
    every_seconds: float = 60.0  # of wall time; 0: after every measurement

    def save(self, study_name: str, configs: Sequence[BaseModel], snapshot: Snapshot) -> None:
        """Write a checkpoint and drop all but the last two; where it cannot be written now, they stay.

        Raises:
            StudyError: the folder cannot be written, or the state holds something that is not an array.
        """
        from safetensors.numpy import save

        identity = {"format": FORMAT, "study": study_name, "configs": _configs_text(configs)}
        stopped = [None if how is None else [how.outcome.value, how.reason] for how in snapshot.stopped]
        more = {"metrics": json.dumps(_metric_names(snapshot)), "stopped": json.dumps(stopped)}
        content = save(_arrays(snapshot), metadata={**identity, **more})
        existing = self._names()
        number = 1 + (int(existing[-1][:8]) if existing else 0)
        if self._files.write(f"{number:08d}-{hashlib.sha256(content).hexdigest()}.safetensors", content):
            self._files.remove(existing[: max(len(existing) + 1 - N_KEPT, 0)])

    def load(self, study_name: str, configs: Sequence[BaseModel]) -> Snapshot | None:
        """Load the newest checkpoint that is whole, or None if there is none.

        A damaged checkpoint is named in a warning and set aside, and the one before it is used.

        Raises:
            StudyError: the checkpoint belongs to another study or to another config, or cannot be read.
        """
        names = self._names()
        while names:
            name = names.pop()
            place, content = self._files.place(name), self._files.read(name)
            if hashlib.sha256(content).hexdigest() == name[9:73]:
                return _read(place, content, study_name, configs)
            way_on = f"using the one before it, {names[-1]}" if names else "there is none before it: starting again"
            _log.warning("%s is damaged (its SHA-256 is not the one in its name); %s", place, way_on)
            self._files.set_aside(name)
        return None

    def remove(self) -> None:
        """Remove the checkpoints, and the folder if nothing else is in it."""
        self._files.remove(self._names())
        self._files.clear()

    @property
    def _files(self) -> CheckpointFiles:
        return Folder(self.folder) if isinstance(self.folder, Path) else self.folder

    def _names(self) -> list[str]:
        """Of the checkpoints, oldest first."""
        return sorted(name for name in self._files.names() if _NAME.fullmatch(name))


def _configs_text(configs: Sequence[BaseModel]) -> str:
    return json.dumps([flatten(config) for config in configs], sort_keys=True)


def _metric_names(snapshot: Snapshot) -> list[str]:
    return list(dict.fromkeys(name for history in snapshot.histories for one in history for name in one.metrics))


def _arrays(snapshot: Snapshot) -> dict[str, np.ndarray]:
    """The snapshot as named arrays; what all members share at a measurement is kept once."""
    names = _metric_names(snapshot)
    longest = max(snapshot.histories, key=len, default=())
    values = np.full((len(longest), len(snapshot.histories), len(names)), np.nan)  # (point, member, metric)
    was_measured = np.zeros(values.shape, bool)  # NaN may be a value
    for member, history in enumerate(snapshot.histories):
        for point, measured in enumerate(history):
            values[point, member] = [measured.metrics.get(name, np.nan) for name in names]
            was_measured[point, member] = [name in measured.metrics for name in names]
    arrays = {
        "history/values": values,
        "history/was_measured": was_measured,
        "history/n_points": np.array([len(history) for history in snapshot.histories], dtype=np.int64),
        "history/step": np.array([measured.step for measured in longest], dtype=np.int64),
        "history/epoch": np.array([_epoch_number(measured.epoch) for measured in longest], dtype=np.float64),
        "history/seconds": np.array([measured.seconds for measured in longest], dtype=np.float64),
        "history/timestamp_ms": np.array([measured.timestamp_ms for measured in longest], dtype=np.int64),
        "seconds": np.array(snapshot.seconds, dtype=np.float64),
        "setup_seconds": np.array(snapshot.setup_seconds, dtype=np.float64),
    }
    return arrays | {f"state/{name}": _state_array(name, value) for name, value in snapshot.state.items()}


def _epoch_number(epoch: float | None) -> float:
    return np.nan if epoch is None else epoch


def _state_array(name: str, value: Any) -> np.ndarray:
    """A contiguous copy of one array of the state; safetensors writes the raw bytes of a view."""
    from safetensors.numpy import save

    array = np.array(value, order="C")
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    try:
        save({name: array[..., None][:0]})  # an empty array of this type: can the format hold it?
    except Exception as error:
        raise StudyError(
            f"checkpoint: state[{name!r}] must be an array of numbers or booleans, not "
            f"{type(value).__name__} of {array.dtype}; let the study's state() give plain numpy arrays"
        ) from error
    return array


def _read(place: str, content: bytes, study_name: str, configs: Sequence[BaseModel]) -> Snapshot:
    from safetensors.numpy import load

    with reading(place, way_out=WAY_OUT, error=StudyError):
        length = int.from_bytes(content[:8], "little")  # the format's header: its length, then JSON
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        _check_identity(place, metadata, study_name, configs)
        arrays = load(content)
        return Snapshot(
            state={name.removeprefix("state/"): arrays[name] for name in arrays if name.startswith("state/")},
            histories=_histories(arrays, json.loads(metadata["metrics"])),
            stopped=tuple(
                None if how is None else Stopped(outcome=Outcome(how[0]), reason=how[1])
                for how in json.loads(metadata["stopped"])
            ),
            seconds=float(arrays["seconds"]),
            setup_seconds=float(arrays.get("setup_seconds", 0.0)),  # older ones counted it as training
        )


def _histories(arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> tuple[tuple[Measured, ...], ...]:
    values = arrays["history/values"]  # (point, member, metric)
    was_measured = arrays.get("history/was_measured", np.ones(values.shape, bool))  # older ones measured all
    epochs = [None if np.isnan(epoch) else float(epoch) for epoch in arrays["history/epoch"]]
    return tuple(
        tuple(
            Measured(
                step=int(arrays["history/step"][point]),
                epoch=epochs[point],
                seconds=float(arrays["history/seconds"][point]),
                metrics={
                    name: value
                    for name, value, is_there in zip(names, values[point, member].tolist(), was_measured[point, member])
                    if is_there
                },
                timestamp_ms=int(arrays["history/timestamp_ms"][point]),
            )
            for point in range(n_points)
        )
        for member, n_points in enumerate(arrays["history/n_points"].tolist())
    )


def _check_identity(place: str, metadata: Mapping[str, str], study_name: str, configs: Sequence[BaseModel]) -> None:
    wayout = "give another checkpoint folder, or remove this one to start again"
    if metadata.get("format") != FORMAT:
        raise StudyError(f"{place}: is of the format {metadata.get('format')!r}, not {FORMAT!r}; {wayout}")
    if metadata["study"] != study_name:
        raise StudyError(f"{place}: is of study {metadata['study']!r}, not {study_name!r}; {wayout}")
    if metadata["configs"] != (wanted := _configs_text(configs)):
        difference = _difference(json.loads(metadata["configs"]), json.loads(wanted))
        raise StudyError(f"{place}: is of another config ({difference}); {wayout}")


def _difference(found: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> str:
    if len(found) != len(wanted):
        return f"a population of {len(found)}, not {len(wanted)}"
    changes = []
    for member, (left, right) in enumerate(zip(found, wanted)):
        of_member = f" of member {member}" if len(wanted) > 1 else ""
        for name in sorted(set(left) | set(right)):
            if left.get(name) != right.get(name):
                changes.append(f"{name}{of_member} was {left.get(name)!r} and is {right.get(name)!r}")
    shown = "; ".join(changes[:3])
    return f"{shown}; and {len(changes) - 3} more" if len(changes) > 3 else shown
