"""Turn artifacts of a report (figures, images, tables) into text and bytes, by the ending of their name."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rothamsted.errors import StudyError, raised

_TABLES: Mapping[str, tuple[str, Mapping[str, Any]]] = {  # ending -> method of a DataFrame, its options
    "csv": ("to_csv", {"index": False}),
    "json": ("to_json", {"orient": "records"}),
    "html": ("to_html", {}),
    "md": ("to_markdown", {}),
    "parquet": ("to_parquet", {}),
}


def contents_of(artifacts: Mapping[str, Any], place: str) -> dict[str, str | bytes]:
    """Return each artifact as it is kept.

    Raises:
        StudyError: names the artifact that is of no known kind, or whose name does not say how to write it.
    """
    return {name: _content(name, value, f"{place}: artifact {name!r}") for name, value in artifacts.items()}


def _content(name: str, value: Any, place: str) -> str | bytes:
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    try:
        if isinstance(value, Path):
            return value.read_bytes()
        write = _writer(posixpath.splitext(name)[1].lower().removeprefix("."), value)
        if write is not None:
            return write()
    except Exception as error:
        raise StudyError(f"{place}: cannot be made: {raised(error)}") from error
    raise StudyError(
        f"{place}: is of type {type(value).__name__}; give text, bytes, a Path, a figure or an image "
        f"(a.png), or a DataFrame ({', '.join(f'a.{ending}' for ending in _TABLES)})"
    )


def _writer(ending: str, value: Any) -> Callable[[], str | bytes] | None:
    """How to write a value, by what it can do: no library is imported for asking."""
    if hasattr(value, "savefig"):  # matplotlib
        return lambda: _saved(lambda file: value.savefig(file, format=ending or "png"))
    if hasattr(value, "to_csv") and ending in _TABLES:  # pandas
        method, options = _TABLES[ending]
        return lambda: getattr(value, method)(**options)
    if hasattr(value, "write_html"):  # plotly
        return (lambda: value.to_html()) if ending == "html" else (lambda: value.to_image(format=ending or "png"))
    if hasattr(value, "save") and hasattr(value, "getbbox"):  # Pillow
        return lambda: _saved(lambda file: value.save(file, format=_pillow_name(ending)))
    if hasattr(value, "__array_interface__") or hasattr(value, "numpy"):
        return lambda: _picture(value, ending)
    return None


def _saved(write: Callable[[io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def _pillow_name(ending: str) -> str:
    return {"jpg": "jpeg", "tif": "tiff"}.get(ending, ending or "png")


def _picture(array: Any, ending: str) -> bytes:
    """An array as an image: (row, column), grey, or (row, column, 3 or 4); numbers in [0, 1], or bytes."""
    import numpy as np
    from PIL import Image

    values = np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
    if ending == "npy":
        return _saved(lambda file: np.save(file, values))
    if values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise ValueError(f"an image has the shape (row, column) or (row, column, 3 or 4), not {values.shape}")
    if values.dtype != np.uint8:
        values = (np.clip(values.astype(float), 0, 1) * 255).round().astype(np.uint8)
    return _saved(lambda file: Image.fromarray(values).save(file, format=_pillow_name(ending)))
