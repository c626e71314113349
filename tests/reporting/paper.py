"""Read the words of a PDF that Chromium printed: page by page, without spaces.

Skia, which writes it, keeps one compressed stream a page, in which fonts are named and glyphs are written as numbers;
each font has a table from glyphs to letters. Only what Skia writes is understood.
"""

from __future__ import annotations

import re
import zlib

WORDS = re.compile(rb"/(F\d+) [\d.]+ Tf|<([0-9A-F]+)> Tj|\[(.*?)\] TJ")  # a font, or glyphs in it
RANGES = re.compile(rb"beginbfrange(.*?)endbfrange", re.DOTALL)
LETTERS = re.compile(rb"beginbfchar(.*?)endbfchar", re.DOTALL)
HEX = re.compile(rb"<([0-9A-F]+)>")


def pages_of(pdf: bytes) -> list[str]:
    """Return the words of each page, without any white space."""
    found = re.findall(rb"(\d+) 0 obj(.*?)endobj", pdf, re.DOTALL)
    objects = {int(number): body for number, body in found}
    return [_words(body, objects) for body in objects.values() if re.search(rb"/Type /Page\s", body)]


def _words(page: bytes, objects: dict[int, bytes]) -> str:
    named = re.findall(rb"/(F\d+) (\d+) 0 R", page)
    fonts = {name: _letters(objects[int(number)], objects) for name, number in named}
    content, font, said = _stream(objects[_reference(page, b"Contents")]), {}, []
    for name, glyphs, several in WORDS.findall(content):
        if name:
            font = fonts[name]
        for text in [glyphs] if glyphs else HEX.findall(several):
            said += [font.get(int(text[i : i + 4], 16), "?") for i in range(0, len(text), 4)]
    return "".join("".join(said).split())


def _letters(font: bytes, objects: dict[int, bytes]) -> dict[int, str]:
    """The letters of each glyph; a ligature has several."""
    table, known = _stream(objects[_reference(font, b"ToUnicode")]), {}
    for block in LETTERS.findall(table):
        codes = HEX.findall(block)
        known |= {int(glyph, 16): _text(letters) for glyph, letters in zip(codes[::2], codes[1::2], strict=True)}
    for block in RANGES.findall(table):
        codes = [int(code, 16) for code in HEX.findall(block)]
        for first, last, letter in zip(codes[::3], codes[1::3], codes[2::3], strict=True):
            known |= {glyph: chr(letter + glyph - first) for glyph in range(first, last + 1)}
    return known


def _text(letters: bytes) -> str:
    return bytes.fromhex(letters.decode()).decode("utf-16-be")


def _reference(body: bytes, key: bytes) -> int:
    found = re.search(rb"/" + key + rb" (\d+) 0 R", body)
    assert found, body
    return int(found[1])


def _stream(body: bytes) -> bytes:
    return zlib.decompress(body[body.index(b"stream") + len(b"stream") :].lstrip(b"\r\n"))
