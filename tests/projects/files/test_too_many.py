"""Too many members, too long a head, a shape beyond all numbers: refused before the library that reads it begins."""

from __future__ import annotations

import io
import tarfile
import time
from pathlib import Path

from projects.files.archive import MOST_OF_TAR, read_tar
from projects.files.idx import read_idx
from projects.files.safetensors_head import MOST_HEAD_BYTES, check_head
from tests.projects.files.test_hostile import WAY_OUT, refusal


def test_a_shape_of_no_values_that_nothing_can_count_with_is_refused(tmp_path: Path) -> None:
    """NumPy and torch count bytes and strides as if each dimension had a value."""
    path = tmp_path / "a"
    path.write_bytes(bytes([0, 0, 8, 3]) + b"\0\0\0\0" + b"\xff" * 8)
    assert "is damaged or of another kind" in refusal(lambda: read_idx(path, way_out=WAY_OUT), path)
    head = b'{"a":{"dtype":"F32","shape":[0,4294967296,4294967296,4294967296],"data_offsets":[0,0]}}'
    path.write_bytes(len(head).to_bytes(8, "little") + head)
    assert "which no array has" in refusal(lambda: check_head(path, way_out=WAY_OUT), path)


def test_archives_and_heads_of_too_many_members_are_refused_within_a_second(tmp_path: Path) -> None:
    path, out = tmp_path / "a", io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for n in range(MOST_OF_TAR + 1):
            archive.addfile(tarfile.TarInfo(f"m{n}"))
    path.write_bytes(out.getvalue())
    began = time.process_time()
    line = refusal(lambda: read_tar(path, {"x"}, most=10, way_out=WAY_OUT), path)
    assert f"more than {MOST_OF_TAR} members" in line
    path.write_bytes((MOST_HEAD_BYTES + 1).to_bytes(8, "little") + b"{")
    assert "its head has" in refusal(lambda: check_head(path, way_out=WAY_OUT), path)
    path.write_bytes((2).to_bytes(8, "little") + b"[]")
    assert "is damaged" in refusal(lambda: check_head(path, way_out=WAY_OUT), path)
    assert time.process_time() - began < 1
