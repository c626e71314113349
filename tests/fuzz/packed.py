"""Mutants of packed files: what is inside gzip, zip and tar is changed and packed again, so that checksums hold."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from random import Random

from tests.fuzz.mutators import mutate_bytes, several
from tests.fuzz.structured import restructured, with_length

Files = Mapping[str, bytes]  # the files of a folder

_NAMES = ("../out", "/out", "a/../../out", "a\\..\\out", "", "é", "x" * 255, "\u202e")
_NUMBERS = (b"0", b"-1", b"1", b"3", b"255", b"65536", b"4294967295", b"999999999999", b"9223372036854775808")
_TYPES = (b"|O", b"<c16", b"<U9", b"|S9", b"|b1", b"<f8", b"<f2", b">i4", b"|V8", b"<M8[s]", b"|u1", b"<i8")
_FLOATS = (b"\0\0\xc0\x7f", b"\0\0\x80\xff", b"\0\0\0\0\0\0\xf8\x7f", b"\xff\xff\xff\x7f", b"\xff" * 8)
_NUMBER = re.compile(rb"\d+")
_TYPE = re.compile(rb"[<>|][a-zA-Z]\d+")
_HEAD = 4096  # bytes in which a format says what follows


def mutate_one(seeds: Sequence[Files], random: Random) -> Files:
    """One file of a folder is changed; seldom one is left out, empty, or has the content of another."""
    files = dict(random.choice(seeds))
    name = random.choice(sorted(files))
    made = random.randrange(40)
    if made == 0:
        del files[name]
    elif made == 1:
        files[name] = files[random.choice(sorted(files))]
    elif made == 2:
        files[name] = b""
    else:
        files[name] = several(lambda data: mutate_inside(data, random), files[name], random)
    return files


def mutate_inside(data: bytes, random: Random) -> bytes:
    """One change of a file; where it is packed, often of what is inside."""
    try:
        if random.random() < 0.15:
            return with_length(data, random)
        if random.random() < 0.2 and (made_anew := restructured(data, random)) is not None:
            return made_anew
        if random.random() < 0.7:
            if data.startswith(b"\x1f\x8b"):
                return gzip.compress(mutate_inside(gzip.decompress(data), random), 1, mtime=0)
            if data.startswith(b"PK"):
                return _zip(data, random)
            if data[257:262] == b"ustar":
                return _tar(data, random)
    except Exception:  # an earlier change made it what cannot be unpacked
        return mutate_bytes(data, random)
    made = random.randrange(10)
    if made in (0, 1):
        return _with(data, _NUMBER, _NUMBERS, random)
    if made == 2:
        return _with(data, _TYPE, _TYPES, random)
    if made == 3:
        value = random.choice(_FLOATS)
        start = random.randrange(len(data) + 1) & ~3
        return data[:start] + value + data[start + len(value) :]
    return mutate_bytes(data, random)


def _with(data: bytes, pattern: re.Pattern[bytes], values: Sequence[bytes], random: Random) -> bytes:
    """One place of the head that has a form gets another value; the head of .npy keeps its length by its padding."""
    found = list(pattern.finditer(data[:_HEAD]))
    if not found:
        return mutate_bytes(data, random)
    one, value = random.choice(found), random.choice(values)
    rest = data[one.end() :]
    grown = len(value) - (one.end() - one.start())
    spaces = re.search(rb" {8,}\n", rest[:_HEAD])
    if spaces and 0 < grown < len(spaces[0]) - 1:
        rest = rest[: spaces.start()] + rest[spaces.start() + grown :]
    elif spaces and grown < 0:
        rest = rest[: spaces.start()] + b" " * -grown + rest[spaces.start() :]
    return data[: one.start()] + value + rest


def _zip(data: bytes, random: Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    chosen, made, out = random.randrange(len(members)), random.randrange(8), io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(out, "w") as archive:  # of one name given twice
        for n, (info, content) in enumerate(members):
            is_chosen, name, kind = n == chosen, info.filename, info.compress_type
            if is_chosen and made == 0:
                name = random.choice((*_NAMES, random.choice(members)[0].filename))
            if is_chosen and made == 1:
                kind = random.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            copy = zipfile.ZipInfo(name)
            copy.external_attr = 0o120777 << 16 if is_chosen and made == 2 else info.external_attr
            if is_chosen and made == 3:
                continue
            content = mutate_inside(content, random) if is_chosen and made > 3 else content
            archive.writestr(copy, content, kind)
    packed = out.getvalue()
    if made == 2 and random.random() < 0.5:  # encrypted, says the flag
        at = packed.rfind(b"PK\x01\x02")
        packed = packed[: at + 8] + b"\x01" + packed[at + 9 :]
    return packed


def _tar(data: bytes, random: Random) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = [(info, archive.extractfile(info)) for info in archive]
        contents = [(info, b"" if file is None else file.read()) for info, file in members]
    chosen, made, out = random.randrange(len(contents)), random.randrange(6), io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for n, (info, content) in enumerate(contents):
            if n == chosen and made == 0:
                info.name = random.choice(_NAMES) or "x"
            if n == chosen and made == 1:
                info.type, info.linkname = random.choice((tarfile.SYMTYPE, tarfile.LNKTYPE)), "/etc/passwd"
            if n == chosen and made == 2:
                info.type = random.choice((tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE))
            content = mutate_inside(content, random) if n == chosen and made > 2 else content
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()
