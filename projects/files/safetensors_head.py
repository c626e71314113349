"""Check the head of a safetensors file before the library reads it, which accepts any number of arrays."""

from __future__ import annotations

import json
import math
from pathlib import Path

from projects.files.reading import open_file, reading

MOST_HEAD_BYTES = 2 << 20  # some 25,000 arrays, which take half a second; large networks have a thousand


def check_head(path: Path, *, way_out: str) -> None:
    """Refuse an implausible head. The library checks the head against the file.

    Raises:
        DataProblem: the file cannot be read, its head is too long, or a shape is impossible.
    """
    with open_file(path, way_out=way_out) as file, reading(path, way_out=way_out):
        length = int.from_bytes(file.read(8), "little")
        if length > MOST_HEAD_BYTES:
            raise ValueError(f"its head has {length} bytes, and at most {MOST_HEAD_BYTES} are allowed")
        head = json.loads(file.read(length))
        for name, facts in head.items():
            shape = [] if name == "__metadata__" else facts["shape"]
            if math.prod(max(n, 1) for n in shape) >= 2**60:  # of no values, too: strides would be beyond a number
                raise ValueError(f"{name} promises the shape {shape}, which no array has")
