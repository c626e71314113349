"""Kinds of files of weights, checkpoints and results, as the studies and the engine read them."""

from __future__ import annotations

import hashlib
import io
import json
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from projects.files.problem import DataProblem
from rothamsted.errors import UserError
from tests.fuzz.data_files import read_once
from tests.fuzz.harness import FaultError, Kind
from tests.fuzz.made import check_finite
from tests.fuzz.packed import Files, mutate_one


def _write(files: Files, given: Path) -> list[Path]:
    for name, data in files.items():
        (given / name).write_bytes(data)
    return sorted(given.iterdir())


@cache
def _weights() -> list[Files]:
    import torch
    from safetensors.torch import save

    arrays = {"features.weight": torch.ones(4, 3), "n": torch.arange(3), "half": torch.ones(2, dtype=torch.float16)}
    new, old = io.BytesIO(), io.BytesIO()
    torch.save(arrays, new)
    torch.save(arrays, old, _use_new_zipfile_serialization=False)
    found: list[Files] = [{"w.safetensors": save(arrays)}, {"w.pth": new.getvalue()}, {"w.pt": old.getvalue()}]
    read_once(found, _read_weights)
    return found


def _read_weights(files: Files, given: Path) -> None:
    from projects.image_classifier.weights import read_weights

    for path in _write(files, given) or [given / "none.pth"]:
        for array in read_weights(path).values():
            check_finite([array.float().numpy()])


@cache
def _language_weights() -> list[Files]:
    from projects.language_model.shape import Shape
    from projects.language_model.weights import weights_bytes

    sizes = {"vocab_size": 9, "context_length": 8, "d_model": 4, "num_layers": 1, "num_heads": 2, "d_ff": 8}
    shape = Shape(**sizes, rope_theta=1e4, norm="pre", position="rope", feed_forward="swiglu", tie_weights=True)
    content = weights_bytes({"embedding.weight": np.ones((9, 4), np.float32)}, shape, step=3, val_loss=1.5)
    found: list[Files] = [{"best.safetensors": content}]
    read_once(found, _read_language_weights)
    return found


def _read_language_weights(files: Files, given: Path) -> None:
    from projects.language_model.weights import read_weights

    for path in _write(files, given) or [given / "none.safetensors"]:
        shape, arrays = read_weights(path)
        check_finite(arrays.values())
        if min(shape.vocab_size, shape.d_model, shape.num_layers, shape.num_heads, shape.d_ff) < 1:
            raise FaultError(f"a shape of {shape}")


@cache
def _checkpoints() -> list[Files]:
    import tempfile

    from rothamsted.records import Measured
    from rothamsted.studies.checkpoint import Checkpoint, Snapshot
    from tests.toy import Config

    points = tuple(
        Measured(step=n, epoch=None, seconds=0.5 * n, metrics={"loss": 1.0 / (n + 1)}, timestamp_ms=n) for n in range(3)
    )
    state = {"w": np.ones((2, 3)), "n": np.arange(4)}
    snapshot = Snapshot(state=state, histories=(points,), stopped=(None,), seconds=1.5)
    with tempfile.TemporaryDirectory() as folder:
        Checkpoint(folder=Path(folder)).save("toy", [Config()], snapshot)
        [path] = Path(folder).iterdir()
        found: list[Files] = [{path.name: path.read_bytes()}]
    read_once(found, _read_checkpoint)
    return found


def _read_checkpoint(files: Files, given: Path) -> None:
    """The name says the digest of what is read, as it would of a file that somebody made."""
    from rothamsted.studies.checkpoint import Checkpoint
    from tests.toy import Config

    for data in files.values():
        (given / f"00000001-{hashlib.sha256(data).hexdigest()}.safetensors").write_bytes(data)
    snapshot = Checkpoint(folder=given).load("toy", [Config()])
    if snapshot is not None and not all(one.dtype.kind in "biufc" for one in snapshot.state.values()):
        raise FaultError("a state of another kind")


RESULTS = [{"lr": 0.1, "seed": n, "val_loss": 0.5 + n / 10, "note": "é"} for n in range(4)]


@cache
def _results() -> list[Files]:
    lines = "\n".join(json.dumps(one) for one in RESULTS).encode()
    head = ",".join(RESULTS[0])
    rows = "\n".join(",".join(str(value) for value in one.values()) for one in RESULTS)
    found: list[Files] = [
        {"a.jsonl": lines},
        {"a.json": json.dumps(RESULTS).encode()},
        {"a.csv": f"{head}\n{rows}\n".encode()},
    ]
    read_once(found, _read_results)
    return found


def _read_results(files: Files, given: Path) -> None:
    from rothamsted.calls.rows import rows_of

    rows = rows_of(_write(files, given) or [given / "none.csv"])
    if not isinstance(rows, list):
        raise FaultError("files that are no rows")


@cache
def _reports() -> list[Files]:
    found: list[Files] = [{"report": b'{"val_loss": 0.3, "step": 1}\n{"val_loss": null, "step": 2}\n{"acc": 1e-3}\n'}]
    read_once(found, _read_report)
    return found


def _read_report(files: Files, given: Path) -> None:
    from rothamsted.foreign.report_lines import ReportFile, points_of_last_line

    for path in _write(files, given) or [given / "none"]:
        points = ReportFile(path=path).read(int(time.time() * 1000), is_over=True) if path.exists() else []
        points += points_of_last_line(path.read_text(errors="replace") if path.exists() else "", 0)
        _check_points(points)


def _check_points(points: list[Any]) -> None:
    for point in points:
        if not isinstance(point.value, float) or not 0 <= point.step < 2**63:
            raise FaultError(f"a point is {point}")


KINDS = (
    Kind(name="weights", seeds=_weights, mutate=mutate_one, run=_read_weights, refusals=(DataProblem,)),
    Kind(
        name="language weights",
        seeds=_language_weights,
        mutate=mutate_one,
        run=_read_language_weights,
        refusals=(DataProblem,),
    ),
    Kind(name="checkpoints", seeds=_checkpoints, mutate=mutate_one, run=_read_checkpoint, refusals=(UserError,)),
    Kind(name="results", seeds=_results, mutate=mutate_one, run=_read_results, refusals=(UserError,)),
    Kind(name="report lines", seeds=_reports, mutate=mutate_one, run=_read_report, refusals=(UserError,)),
)
