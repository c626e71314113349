"""Read a state dictionary from a file of `torch.save`, in either form, without torch's own loader.

torch's loader uses memory for any size that a file states, and calls what the file names. Here each storage is first
checked against the bytes of the file. Both forms hold a pickle of the arrays' names and shapes, which refers to
storages by key: the newer one is a zip archive with a member for each storage, the older one has them behind the pickle
(torch/serialization.py).
"""

from __future__ import annotations

import io
import math
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from projects.files.archive import open_zip, read_member
from projects.files.pickled import Named, read_pickle
from projects.files.reading import open_file, read_bytes, reading

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older form, by torch/serialization.py
_ZIP = b"PK\x03\x04"
_BIG_ENDIAN = "its numbers are big-endian: save it on another machine"
_MOST_SHARED = 16  # times that arrays may use the values of the file: tied weights are two arrays of one storage
_MOST_DIMENSIONS = 64  # of an array, as in torch
_TYPES = {
    f"torch.{name}Storage": dtype
    for name, dtype in (
        ("Float", torch.float32),
        ("Double", torch.float64),
        ("Half", torch.float16),
        ("BFloat16", torch.bfloat16),
        ("Long", torch.int64),
        ("Int", torch.int32),
        ("Short", torch.int16),
        ("Char", torch.int8),
        ("Byte", torch.uint8),
        ("Bool", torch.bool),
    )
}


@dataclass(frozen=True)
class _Storage:
    """Values of several arrays, or of one: what the pickle promises of them."""

    key: str
    dtype: torch.dtype
    n_values: int

    @property
    def n_bytes(self) -> int:
        return self.n_values * self.dtype.itemsize


@dataclass(frozen=True)
class _View:
    """An array: where its values stand in a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(path: Path, *, way_out: str) -> object:
    """Read what a file of `torch.save` holds; arrays become tensors in main memory.

    Args:
        path: a .pth or .pt file, of whatever version of torch.
        way_out: ends the message.

    Returns:
        Usually a dictionary of tensors by name. What is not in the first level of a dictionary is left as it is read.

    Raises:
        DataProblem: the file cannot be read, is damaged, promises other sizes than it has, or asks for code.
    """
    with reading(path, way_out=way_out):
        with open_file(path, way_out=way_out) as file:
            is_zip = file.read(len(_ZIP)) == _ZIP
        return _arrays(*(_zipped(path, way_out) if is_zip else _plain(path, way_out)))


def _plain(path: Path, way_out: str) -> tuple[Any, dict[str, torch.Tensor]]:
    """The older form: pickles of a magic number, a version, facts of the machine and the arrays; then the storages."""
    stream = io.BytesIO(read_bytes(path, way_out=way_out))
    if read_pickle(stream, {}) != _MAGIC:
        raise ValueError("it does not begin as a file of torch.save")
    read_pickle(stream, {})
    if not read_pickle(stream, {}).get("little_endian", True):
        raise ValueError(_BIG_ENDIAN)
    promised: dict[str, _Storage] = {}
    found = read_pickle(stream, _KNOWN, persistent=lambda said: _storage(said, promised))
    return found, _behind(stream, promised)


def _zipped(path: Path, way_out: str) -> tuple[Any, dict[str, torch.Tensor]]:
    """The newer form: a member for the pickle, and one for each storage."""
    with open_zip(path, way_out=way_out) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.endswith("data.pkl")]
        if len(pickles) != 1 or len(set(names)) < len(names):
            raise ValueError(f"it has {len(pickles)} members data.pkl, or two of one name")
        folder = pickles[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in names and read_member(archive, f"{folder}byteorder", most=9) != b"little":
            raise ValueError(_BIG_ENDIAN)
        promised: dict[str, _Storage] = {}
        content = io.BytesIO(read_member(archive, pickles[0]))
        found = read_pickle(content, _KNOWN, persistent=lambda said: _storage(said, promised))
        storages = {}
        for key, one in promised.items():
            name = f"{folder}data/{key}"
            n_bytes = archive.getinfo(name).file_size
            if n_bytes != one.n_bytes:
                raise ValueError(f"storage {key} promises {one.n_bytes} bytes, and has {n_bytes}")
            storages[key] = _values(one, read_member(archive, name, most=n_bytes))
        return found, storages


def _behind(stream: io.BytesIO, promised: dict[str, _Storage]) -> dict[str, torch.Tensor]:
    """The storages behind the pickles of the older form: each is its number of values, and the values."""
    keys, storages = read_pickle(stream, {}), {}
    if not isinstance(keys, list) or len(keys) != len(promised) or set(map(_text, keys)) != set(promised):
        raise ValueError("it has other storages than its arrays ask for")
    for key in map(_text, keys):
        one, n_values = promised[key], int.from_bytes(stream.read(8), "little")
        data = stream.read(one.n_bytes)
        if n_values != one.n_values or len(data) != one.n_bytes:
            raise ValueError(f"storage {key} promises {one.n_values} values, and has {n_values} or fewer")
        storages[key] = _values(one, data)
    if stream.read(1):
        raise ValueError("it goes on after its last storage")
    return storages


def _values(one: _Storage, data: bytes) -> torch.Tensor:
    if one.dtype is torch.bool and data.strip(b"\0\1"):
        raise ValueError(f"storage {one.key} of booleans holds other values")
    return torch.frombuffer(bytearray(data), dtype=one.dtype) if data else torch.empty(0, dtype=one.dtype)


def _storage(said: Any, promised: dict[str, _Storage]) -> _Storage:
    """The storage of an id: "storage", type, key, place, number of values; in the older form, what it is a part of."""
    kind, named, key, _, n_values, *part = said
    if _text(kind) != "storage" or not isinstance(named, Named) or named.name not in _TYPES or part not in ([], [None]):
        raise ValueError("it refers to something that is not a storage of numbers")
    one = _Storage(_text(key), _TYPES[named.name], _count(n_values))
    if promised.setdefault(one.key, one) != one:
        raise ValueError(f"storage {one.key} has two sizes or types")
    return one


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *more: Any) -> _View:
    if len(more) > 3 or (len(more) == 3 and more[2]):  # after gradient and hooks: that it is conjugated or negated
        raise ValueError("an array is not of plain values")
    if not isinstance(storage, _Storage) or len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS:
        raise ValueError("an array has no storage, or a stride for each dimension is lacking")
    view = _View(storage, _count(offset), tuple(map(_count, shape)), tuple(map(_count, strides)))
    last = view.offset + sum((n - 1) * step for n, step in zip(view.shape, view.strides, strict=True))
    n_values = math.prod(view.shape)
    if n_values and (last >= storage.n_values or n_values > storage.n_values):
        raise ValueError(f"an array promises the shape {list(view.shape)}, and has fewer values")
    return view


def _parameter(view: Any, *_: Any) -> Any:
    return view


def _ordered(*items: Any) -> OrderedDict[Any, Any]:
    if items not in ((), ([],)):
        raise ValueError("a dictionary is made of a list")
    return OrderedDict()


_KNOWN = {
    "collections.OrderedDict": _ordered,
    "torch._utils._rebuild_tensor": _view,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch._utils._rebuild_parameter": _parameter,
    **dict.fromkeys(_TYPES),
}


def _arrays(found: Any, storages: dict[str, torch.Tensor]) -> object:
    if not isinstance(found, dict):
        return found
    n_used = sum(math.prod(one.shape) for one in found.values() if isinstance(one, _View))
    if n_used > _MOST_SHARED * sum(map(len, storages.values())):
        raise ValueError(f"its arrays use its values more than {_MOST_SHARED} times")
    return {
        name.decode("ascii") if isinstance(name, bytes) else name: (
            storages[value.storage.key].as_strided(value.shape, value.strides, value.offset)
            if isinstance(value, _View)
            else value
        )
        for name, value in found.items()
    }


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError("a size or an offset is not a whole number from 0 on")
    return value


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii")
    if not isinstance(value, str):
        raise ValueError("a key of a storage is not text")
    return value
