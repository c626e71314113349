"""The head of a safetensors file, looked at before the library reads it: that one takes any number of arrays."""

from __future__ import annotations

import json
import math
from pathlib import Path

from projects.files.reading import open_file, reading

MOST_HEAD_BYTES = 2 << 20  # some 25,000 arrays, which take half a second; large networks have a thousand


def check_head(path: Path, *, way_out: str) -> None:
    """Refuse a head that no file of weights has. What the head promises of the file, the library checks.

    Raises:
        DataProblem: the file cannot be read, its head is too long, or a shape is one that no array has.
    """
    with open_file(path, way_out=way_out) as file, reading(path, way_out=way_out):
        length = int.from_bytes(file.read(8), "little")
        if length > MOST_HEAD_BYTES:
            raise ValueError(f"its head has {length} bytes, {MOST_HEAD_BYTES} at most")
        head = json.loads(file.read(length))
        for name, facts in head.items():
            shape = [] if name == "__metadata__" else facts["shape"]
            if math.prod(max(n, 1) for n in shape) >= 2**60:  # of no values, too: strides would be beyond a number
                raise ValueError(f"{name} promises the shape {shape}, which no array has")
