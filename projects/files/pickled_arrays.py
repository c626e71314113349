"""Read NumPy's arrays in a pickle from their type, shape and bytes, without calling NumPy's own loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from projects.files.pickled import Filled

_TYPES = ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8")


def _reconstruct(kind: object, *_: object) -> Filled:
    return Filled("array")


def _dtype(name: bytes | str, *_: object) -> Filled:
    return Filled("type", name.decode("ascii") if isinstance(name, bytes) else name)


def _scalar(kind: object, data: bytes) -> int | float:
    return np.frombuffer(data, _type_of(kind)).item()


def _encode(text: str, encoding: str) -> bytes:
    return text.encode({"latin1": "latin-1", "latin-1": "latin-1"}[encoding])


def _empty() -> bytes:
    return b""


def _type_of(kind: object) -> np.dtype:
    """A type of numbers: its name, and in its state the order of bytes."""
    if not isinstance(kind, Filled) or kind.made_of not in _TYPES:
        raise ValueError("an array is of no type of whole or real numbers")
    order = kind.state[1] if isinstance(kind.state, tuple) else "|"
    return np.dtype({"<": "<", b"<": "<", ">": ">", b">": ">"}.get(order, "|") + kind.made_of)


ARRAYS: dict[str, Callable[..., Any] | None] = {
    **{f"numpy.{part}.multiarray._reconstruct": _reconstruct for part in ("core", "_core")},
    **{f"numpy.{part}.multiarray.scalar": _scalar for part in ("core", "_core")},
    "numpy.ndarray": None,
    "numpy.dtype": _dtype,
    "_codecs.encode": _encode,  # bytes, as Python 3 writes them for Python 2
    "__builtin__.bytes": _empty,
}


def array_of(value: object) -> np.ndarray:
    """Return an array of NumPy's, or a list of numbers, as `read_pickle` gives them with `ARRAYS`.

    Raises:
        ValueError: it is neither, or its values are no numbers, or fewer or more than its shape promises.
    """
    if isinstance(value, list) and all(type(one) in (int, float) for one in value):
        return np.asarray(value)
    if not isinstance(value, Filled) or value.kind != "array":
        raise ValueError("it holds something that is neither an array nor a list of numbers")
    _, shape, kind, is_fortran, data = value.state
    return np.frombuffer(data, _type_of(kind)).reshape(shape, order="F" if is_fortran else "C")
