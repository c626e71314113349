"""Files of torch.save: read as torch reads them, and refused where torch takes the memory that a file promises."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from projects.files.problem import DataProblem
from projects.image_classifier.weights import read_weights

TYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")


def saved(what: object, *, is_older: bool) -> bytes:
    out = io.BytesIO()
    torch.save(what, out, _use_new_zipfile_serialization=not is_older)
    return out.getvalue()


def refusal(path: Path, data: bytes) -> str:
    """The one printable line that the file is refused with."""
    path.write_bytes(data)
    with pytest.raises(DataProblem) as caught:
        read_weights(path)
    line = str(caught.value)
    assert line.isprintable()
    assert line.startswith(f"{path}: ")
    return line


def all_kinds() -> dict[str, Any]:
    """Every type, views of one storage, and a parameter."""
    whole = torch.arange(24.0).reshape(2, 3, 4)
    found: dict[str, Any] = {name: (whole[0] > 5).to(getattr(torch, name)) for name in TYPES}
    found |= {"whole": whole, "turned": whole.permute(2, 1, 0), "part": whole[1, :, ::2], "none": torch.zeros(0, 3)}
    return found | {"parameter": torch.nn.Parameter(torch.ones(2)), "scalar": torch.tensor(2.5)}


@pytest.mark.parametrize("is_older", [False, True])
def test_arrays_are_what_torch_reads(is_older: bool, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(saved(all_kinds(), is_older=is_older))
    found, wanted = read_weights(path), torch.load(path, weights_only=True)
    assert list(found) == list(wanted)
    for name, value in wanted.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value), name
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    path.write_bytes(saved(network.state_dict(), is_older=is_older))
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in read_weights(path).items())


def _promises(data: bytes) -> bytes:
    """Of the older form: a storage of 7 values says that it has 10**9."""
    before = b"K\x07N"  # its number of values, and that it is part of no other
    assert data.count(before) == 1
    return data.replace(before, b"J" + (10**9).to_bytes(4, "little") + b"N")


OLDER: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a promise of 4 GB": (_promises, "promises 1000000000 values, and has 7 or fewer"),
    "fewer values": (lambda data: data[:-4], "promises 7 values, and has 7 or fewer"),
    "more values": (lambda data: data + b"\0", "goes on after its last storage"),
    "a long array": (lambda data: data.replace(b"K\x07\x85", b"K\xff\x85"), "promises the shape [255]"),
    "another order": (lambda data: data.replace(b"endianq\x02\x88", b"endianq\x02\x89"), "big-endian"),
    "code": (lambda data: data.replace(b"ctorch._utils\n_rebuild_tensor_v2", b"cbuiltins\nbytearray"), "asks for"),
}


@pytest.mark.parametrize("name", OLDER)
def test_a_damaged_file_of_the_older_form_is_refused(name: str, tmp_path: Path) -> None:
    data = saved({"w": torch.arange(7.0)}, is_older=True)
    change, rule = OLDER[name]
    assert change(data) != data
    assert rule in refusal(tmp_path / "w.pth", change(data))


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    data = saved({"w": torch.arange(7.0)}, is_older=False)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    [pickled] = [name for name in members if name.endswith("data.pkl")]
    storage = pickled.replace("data.pkl", "data/0")

    def with_member(**changed: bytes | None) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as made:
            for name, content in (
                members | {pickled if k == "pickle" else storage: v for k, v in changed.items()}
            ).items():
                if content is not None:
                    made.writestr(name, content)
        return out.getvalue()

    path = tmp_path / "w.pth"
    path.write_bytes(with_member())
    assert read_weights(path)["w"].tolist() == list(range(7))
    assert "storage 0 promises 28 bytes, and has 24" in refusal(path, with_member(storage=members[storage][:-4]))
    assert "it lacks" in refusal(path, with_member(storage=None))
    assert "0 members data.pkl" in refusal(path, with_member(pickle=None))
    shorter = members[pickled].replace(b"K\x07\x85", b"K\xff\x85")
    assert "promises the shape [255]" in refusal(path, with_member(pickle=shorter))
    again = members[pickled].replace(b"K\x00K\x07\x85", b"K\x01K\x07\x85")
    assert "promises the shape [7], and has fewer values" in refusal(path, with_member(pickle=again))


def test_truth_values_and_shared_values_are_bounded(tmp_path: Path) -> None:
    data = saved({"b": torch.ones(64, dtype=torch.bool)}, is_older=True)
    assert "of booleans holds other values" in refusal(tmp_path / "b.pth", data[:-1] + b"\x02")
    one = torch.ones(10)
    assert "more than 16 times" in refusal(tmp_path / "s.pth", saved({f"w{n}": one for n in range(17)}, is_older=False))
    turned = saved({"w": torch.complex(one, one).conj()}, is_older=False)
    assert "it asks for torch.ComplexFloatStorage" in refusal(tmp_path / "c.pth", turned)
