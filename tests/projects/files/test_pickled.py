"""Pickles of plain data: what Python's own reader gives, and none of what it can be made to do."""

from __future__ import annotations

import io
import pickle
import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.files.pickled import MOST_OPERATIONS, read_pickle
from projects.files.pickled_arrays import ARRAYS, array_of

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
DATA = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers() | st.binary(), inner)
    ),
    max_leaves=20,
)


def read(data: bytes) -> Any:
    return read_pickle(io.BytesIO(data), ARRAYS)


@given(data=DATA, protocol=st.integers(0, 4))
def test_plain_data_are_what_pickle_reads(data: Any, protocol: int) -> None:
    packed = pickle.dumps(data, protocol=protocol)
    assert read(packed) == pickle.loads(packed)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["u1", "<i4", ">f4", "<f8"])
def test_arrays_are_what_numpy_reads(kind: str, protocol: int) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(kind)
    for one in (array, array.T, array[:0]):
        found = array_of(read(pickle.dumps([one], protocol=protocol))[0])
        np.testing.assert_array_equal(found, one, strict=True)
    scalars = array_of(read(pickle.dumps(list(array[0, 0]), protocol=protocol)))
    assert scalars.tolist() == array[0, 0].tolist()


def test_text_of_python_2_is_bytes() -> None:
    # As Python 2 wrote the batches of CIFAR-10: keys are short strings.
    data = b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03(K\x06K\x09eU\x04dataq\x04T\x02\x00\x00\x00\xff\x01u."
    assert read(data) == pickle.loads(data, encoding="bytes") == {b"labels": [6, 9], b"data": b"\xff\x01"}


HOSTILE = {
    "a place of the memo at 2**31, for which pickle takes 34 GB": b"Nr" + struct.pack("<I", 2**31 - 1) + b"0.",
    "tuples of tuples as a key, whose hash takes 2**60 steps": b"]}(" + b")p0\n" + b"g0\n\x86p0\n" * 60 + b"Nu.",
    "text of 2**63 bytes": b"\x8d" + struct.pack("<Q", 2**63) + b"a.",
    "bytes of 4 GB": b"B" + struct.pack("<I", 2**32 - 1) + b"a.",
    "a number of 2 GB": b"\x8b" + struct.pack("<i", 2**31 - 1) + b"a.",
    "a number of a million digits": b"I" + b"9" * 10**6 + b"\n.",
    "code": pickle.dumps(print),
    "code that is called": b"cbuiltins\nbytearray\n(I10000000000\ntR.",
    "no end": b"]",
    "nothing": b"",
    "an end within": b"(K\x01.",
    "an end of nothing": b".",
    "too little": b"\x86.",
    "an instance": b"(ios\nsystem\n.",
    "a state of a list": b"]}b.",
    "a type that is called": b"cnumpy\nndarray\n)R.",
    "operations without end": b"N0" * MOST_OPERATIONS,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_plain_data_is_refused_at_once(name: str) -> None:
    began = time.process_time()
    with pytest.raises((ValueError, IndexError, KeyError)):
        read(HOSTILE[name])
    assert time.process_time() - began < 5 if name == "operations without end" else 0.5


def test_an_array_holds_as_many_bytes_as_its_shape_says() -> None:
    for before, after in ((b"K\x02K\x03", b"K\x02K\x09"), (b"u1", b"u8"), (b"u1", b"O8")):
        packed = pickle.dumps(np.zeros((2, 3), np.uint8), protocol=2)
        assert packed.count(before) == 1
        with pytest.raises(ValueError, match=r"cannot reshape|buffer size|no type of"):
            array_of(read(packed.replace(before, after)))
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="neither an array nor a list of numbers"):
        array_of(read(pickle.dumps(endless)))
