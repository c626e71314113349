"""Read the records of a TensorBoard event file; lengths and checksums are checked first.

The format is TFRecord (tensorflow/core/lib/io/record_writer.h): length as uint64, masked CRC-32C of these 8 bytes,
the data, masked CRC-32C of the data, all little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from rothamsted.caps import MOST_OF_HISTORY, MOST_OF_LINE
from rothamsted.errors import DataError
from rothamsted.given_files import open_given, reading
from rothamsted.importing.folders import WAY_OUT, size_of

_HEADER = struct.Struct("<QI")
_CRC = struct.Struct("<I")
_MOST_CHECKED = 4096  # bytes of data: a scalar has 50, and a checksum in Python takes 0.1 microseconds a byte
_WITHOUT = "reading event files needs the package tensorboard; pip install 'rothamsted[tensorboard]'"
# dtype of tensorflow/core/framework/types.proto -> field of a TensorProto, form of one value in `tensor_content`
_DTYPES = {
    1: ("float_val", "<f"),
    2: ("double_val", "<d"),
    3: ("int_val", "<i"),
    9: ("int64_val", "<q"),
    19: ("", "<e"),
}


def is_event_file(name: str) -> bool:
    """Say whether a file is one of TensorBoard's, by its name, as TensorBoard itself tells."""
    return "tfevents" in name


def check_tensorboard() -> None:
    """Refuse to read events if the package is not installed.

    Raises:
        DataError: it is not; the line names the extra.
    """
    from importlib.util import find_spec

    if find_spec("tensorboard") is None:
        raise DataError(_WITHOUT)


def events_of(path: Path, notes: list[str]) -> Iterator[Any]:
    """Yield the complete events of one file.

    Args:
        path: the file.
        notes: gets a line if the last record is cut off, or a damaged one ends the file.

    Raises:
        DataError: the package is missing, or the file is too large or not an event file.
    """
    check_tensorboard()
    event: Any = import_module("tensorboard.compat.proto.event_pb2").Event
    if size_of(path) > MOST_OF_HISTORY:
        raise DataError(f"{path}: has more than {MOST_OF_HISTORY} bytes; {WAY_OUT}")
    for number, data in enumerate(_records(path, notes)):
        if data is None:
            continue
        try:
            yield event.FromString(data)
        except Exception as error:  # what protobuf raises for damaged bytes is of its own
            if number == 0:
                raise DataError(f"{path}: is not an event file of TensorBoard; {WAY_OUT}") from error
            notes.append(f"{path.name}: record {number} is damaged; what comes after it is left out")
            return


def scalar_of(value: Any) -> float | None:
    """Return the number in one value of a summary, in the old form or the new one; None if it is not a scalar."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return value.simple_value
    if kind != "tensor" or any(dim.size != 1 for dim in value.tensor.tensor_shape.dim):
        return None
    plugin = value.metadata.plugin_data.plugin_name
    found = _DTYPES.get(value.tensor.dtype)
    if found is None or plugin not in ("", "scalars"):
        return None
    field, form = found
    content = value.tensor.tensor_content
    if content:
        return float(struct.unpack(form, content)[0]) if len(content) == struct.calcsize(form) else None
    values = getattr(value.tensor, field) if field else ()
    return float(values[0]) if len(values) == 1 else None


def _records(path: Path, notes: list[str]) -> Iterator[bytes | None]:
    """The data of each record; None for one that is too long to be a scalar's, which is skipped."""
    masked_crc = import_module("tensorboard.compat.tensorflow_stub.pywrap_tensorflow").masked_crc32c
    number = 0
    with open_given(path, way_out=WAY_OUT) as file, reading(path, way_out=WAY_OUT):
        while header := file.read(_HEADER.size):
            cut = len(header) < _HEADER.size
            length, crc = (0, 0) if cut else _HEADER.unpack(header)
            if not cut and masked_crc(header[:8]) != crc:
                if number == 0:
                    raise DataError(f"{path}: is not an event file of TensorBoard; {WAY_OUT}")
                notes.append(f"{path.name}: record {number} is damaged; what comes after it is left out")
                return
            if length > MOST_OF_LINE:
                file.seek(length + _CRC.size, 1)
                yield None
            else:
                data = b"" if cut else file.read(length + _CRC.size)
                if cut or len(data) < length + _CRC.size:
                    notes.append(f"{path.name}: its last record is cut off; the {number} whole ones are kept")
                    return
                if length <= _MOST_CHECKED and masked_crc(data[:length]) != _CRC.unpack(data[length:])[0]:
                    notes.append(f"{path.name}: record {number} is damaged; what comes after it is left out")
                    return
                yield data[:length]
            number += 1
    if number == 0:
        notes.append(f"{path.name}: is empty")
