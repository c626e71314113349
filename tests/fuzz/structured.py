"""Mutants that know a format: its length fields, its members, its operations, what its writers never write."""

from __future__ import annotations

import io
import json
import pickletools
import struct
import tarfile
import warnings
import zipfile
from random import Random
from typing import Any

_LENGTHS = (0, 1, -1, 2, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
_SIZES = ("B", "H", "I", "Q")
_NAMES = ("../out", "/out", "a/../../out", "x" * 255, "x" * 300, "\u202e", "é", "a\\b", "CON", " ", ".", "..", "-rf")
_YAML = (
    *("x: !!python/object:os.system {}", "x: !!python/name:os.system", "x: !!binary aGk=", "x: !!set {a, b}"),
    *("x: !!omap [a: 1]", "x: !!timestamp 2020-01-01", "x: !unknown 1", "x: &a [*a]", "x: &a {<<: *a}", "<<: {a: 1}"),
    *("<<: [1]", "<<: 3", "? [a, b]\n: 1", "? {a: 1}\n: 1", "? \n: 1", "null: 1", "true: 1", "1: 1", "1.5: 1", "~: 1"),
    *("2020-01-01: 1", "x: 010", "x: 0o10", "x: 1:30:00", "x: 0x1F", "x: 1_0", "x: .inf", "x: -.INF", "x: .NaN"),
    *("x: 1e400", "x: " + "9" * 99, "x: 2001-12-14t21:59:43.10-05:00", "x: 2020-99-99", "'': 1", "x: =", "=: 1"),
    *("x: |\n  a\n  b", "x: >-\n  a", "x: 'it''s'", 'x: "\\x00"', 'x: "\\ud800"', 'x: "\\U0010ffff"'),
    *(
        "x: @a",
        "x: `a`",
        "---\na: 1",
        "...\n",
        "%YAML 1.1\n---",
        "%TAG ! tag:x,2000:\n---",
        "\tx: 1",
        "x:\t1",
        "x: [1,\n2]",
        "- 1",
        "x",
    ),
)
_JSON = (b"NaN", b"-Infinity", b"1e999", b"9" * 400, b'"\\ud800"', b'"\\u0000"', b"[" * 50 + b"]" * 50, b"{}", b"null")
_HYDRA = (
    *("${oc.env:HOME}", "${now:%Y}", "${hydra:job.name}", "${a.b}", "${.a}", "${oc.create:{a:1}}", "${", "$", "\\${a}"),
    *("glob(*)", "glob(*,exclude=a*)", "range(0,1e18)", "range(1e18)", "range(0,1,0)", "range(1,0,-1)", "range(5)"),
    *("interval(0,1)", "interval(1,0)", "interval(-inf,inf)", "tag(log,interval(0,1))", "tag(a,b,1)", "tag(log,1)"),
    *("choice()", "choice(1)", "choice(choice(1,2),3)", "sort(3,1,2)", "sort(a,reverse=true)", "shuffle(1,2)"),
    *("int(3.7)", "float(1)", "str([1])", "bool(yes)", "json_str({a:1})", "extend_list(1)", "int('x')", "cast(1)"),
    *("[[1],[2]]", "[1,{a:[2]}]", "{a:{b:{c:1}}}", "{a:1,a:2}", "'a b'", '"a,b"', "'it\\'s'", "a\\,b", "'", '"'),
    *("~a", "+a=1", "++a=1", "a@b=1", "a@b:c=1", "a/b=1", "a=", "=1", "a.b.c=1", "a..b=1", ".a=1", "a[0]=1", "-1e400"),
    *("nan", "inf", "null", "NULL", "true", "0x1f", "1_000", "1e3", "1.", ".5", "--a", "é=1", "a=é", "\ud800"),
)


def restructured(data: bytes, random: Random) -> bytes | None:
    """A file changed as its format has it; None: of no format that is known here."""
    if data.startswith(b"PK"):
        return with_members(data, random)
    if data[257:262] == b"ustar":
        return with_tar_members(data, random)
    if data[:1] == b"\x80" and data[1:2] < b"\x06":
        return with_operation(data, random)
    if data[:1] in (b"{", b"["):
        return with_json(data, random)
    if len(data) > 8 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data):  # safetensors
        length = int.from_bytes(data[:8], "little")
        head = with_json(data[8 : 8 + length], random)
        return len(head).to_bytes(8, "little") + head + data[8 + length :]
    return None


def with_length(data: bytes, random: Random) -> bytes:
    """A number that may be a length or a size, most often of the head, has an extreme value."""
    size = random.choice(_SIZES)
    n = struct.calcsize(size)
    if len(data) < n:
        return data
    most = len(data) - n + 1
    at = random.randrange(min(most, random.choice((32, 256, 4096, most))))
    value = random.choice(_LENGTHS) & (2 ** (8 * n) - 1)
    return data[:at] + struct.pack(random.choice("<>") + size, value) + data[at + n :]


def with_members(data: bytes, random: Random) -> bytes:
    """A zip archive with members that nobody expects, after or before those that it has."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    for _ in range(random.choice((1, 1, 3, 200))):
        other = random.choice(members or [("", b"")])
        name = random.choice((*_NAMES, other[0]))
        content = random.choice((b"", b"x", bytes(1 << 16), other[1]))
        members.insert(random.randrange(len(members) + 1), (name, content))
    out, attribute = io.BytesIO(), random.choice((0, 0, 0o120777 << 16, 0o060777 << 16, 0o040777 << 16, 0xFFFFFFFF))
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = attribute if random.random() < 0.2 else 0
            archive.writestr(info, content, random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))
    packed = out.getvalue()
    return with_length(packed, random) if random.random() < 0.3 else packed


def with_tar_members(data: bytes, random: Random) -> bytes:
    """A tar archive with links, devices, sparse and extended headers among its members."""
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(info, archive.extractfile(info).read() if info.isreg() else b"") for info in archive]  # type: ignore[union-attr]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=random.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))) as archive:
        for info, content in members:
            if random.random() < 0.3:
                other = tarfile.TarInfo(random.choice((*_NAMES, info.name)))
                other.type, other.linkname = random.choice(kinds), random.choice(("/etc/passwd", "..", info.name))
                key = random.choice(("path", "size", "GNU.sparse.size", "x"))
                other.pax_headers = {key: random.choice(("9" * 30, "-1"))}
                archive.addfile(other)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def with_operation(data: bytes, random: Random) -> bytes:
    """A pickle with an operation left out, doubled, moved or another one, or another number as its argument."""
    try:
        starts = [at for _, _, at in pickletools.genops(data) if at is not None]
    except Exception:  # what follows the first pickle of a file is none
        starts = []
    if len(starts) < 3:
        return with_length(data, random)
    n = random.randrange(1, len(starts) - 1)
    piece = data[starts[n] : starts[n + 1]]
    made = random.randrange(5)
    if made == 0:
        return data[: starts[n]] + data[starts[n + 1] :]
    if made == 1:
        return data[: starts[n]] + piece * random.choice((2, 50)) + data[starts[n + 1] :]
    if made == 2:
        at = random.choice(starts)
        return data[:at] + piece + data[at:]
    if made == 3:
        number = random.choice(
            (b"K\xff", b"J\xff\xff\xff\x7f", b"J" + b"\xff" * 4, b"\x8a\x08" + b"\xff" * 7 + b"\x7f")
        )
        return data[: starts[n]] + number + data[starts[n + 1] :]
    other = random.choice((*(bytes([one]) for one in b"N(t]}Rb02Q\x81."), b"r\xff\xff\xff\x7f", b"j\0\0\0\0"))
    return data[: starts[n]] + other + data[random.choice((starts[n], starts[n + 1])) :]


def with_json(data: bytes, random: Random) -> bytes:
    """JSON with a key given twice, a number that is none, or a value of another kind or depth."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return with_length(data, random)
    made = random.randrange(3)
    if made == 0:
        marks = [n for n, sign in enumerate(data) if sign in b":,["]
        at = random.choice(marks or [0]) + 1
        return data[:at] + random.choice(_JSON) + (b"," if random.random() < 0.5 else b"") + data[at:]
    if made == 1 and isinstance(tree, dict) and tree:
        key = json.dumps(random.choice(sorted(tree))).encode()
        return data.rstrip()[:-1] + b", " + key + b": " + random.choice(_JSON) + b"}"
    _change(tree, random)
    return json.dumps(tree).encode()


def _change(tree: Any, random: Random) -> None:
    """One value anywhere in the tree is another."""
    places: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting and len(places) < 2_000:
        holder = waiting.pop()
        for key in holder if isinstance(holder, dict) else range(len(holder)):
            places.append((holder, key))
            if isinstance(holder[key], (dict, list)):
                waiting.append(holder[key])
    if places:
        holder, key = random.choice(places)
        values = (None, True, "", "x", -1, 0, 2**31, 2**63, 2**70, 0.5, float("nan"), [], {}, [holder[key]], {"a": 1})
        holder[key] = random.choice(values)


def with_yaml(text: str, random: Random) -> str:
    """A YAML text with a line, an encoding or an end of lines that people seldom write."""
    made = random.randrange(5)
    if made == 0:
        return text.replace("\n", random.choice(("\r\n", "\r", "\x85", "\u2028")))
    if made == 1:
        return random.choice(("\ufeff", "\ufffe", "%YAML 1.2\n---\n", "---\n", "\0")) + text
    lines = text.splitlines(keepends=True) or [""]
    at = random.randrange(len(lines) + 1)
    near = lines[min(at, len(lines) - 1)]
    indent = near[: len(near) - len(near.lstrip())]
    if made == 2 and ":" in near:  # the value of a key
        key = near.partition(":")[0]
        lines[min(at, len(lines) - 1)] = f"{key}: {random.choice(_YAML).partition(': ')[2] or '*a'}\n"
        return "".join(lines)
    line = random.choice(_YAML)
    if line.startswith("x: ") and ":" in near:  # a key that is there a second time
        line = near.strip().partition(":")[0] + line[1:] if random.random() < 0.3 else line
    return "".join([*lines[:at], indent + line + "\n", *lines[at:]])


def with_hydra(text: str, random: Random) -> str:
    """A word of Hydra's grammar with another piece of it as its value, within it or behind it."""
    piece = random.choice(_HYDRA)
    key, equals, value = text.partition("=")
    made = random.randrange(4)
    if made == 0 and equals:
        return f"{key}={piece}"
    if made == 1 and equals:
        return f"{key}={value},{piece}"
    if made == 2:
        at = random.randrange(len(text) + 1)
        return text[:at] + piece + text[at:]
    return f"{text} {piece}"
