"""Read the published sources of the procedures from `references.bib`, for exports and for docs/references.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_ENTRY = re.compile(r"^@(?P<kind>\w+)\{(?P<key>[a-z]+\d{4}),\n(?P<fields>(?:  .*\n)+)\}$", re.MULTILINE)
_FIELD = re.compile(r"^  (?P<name>\w+) = \{(?P<value>.*)\},$", re.MULTILINE)
_ACCENTS = {r"{\v{s}}": "š", r"{\"o}": "ö", r"{\=a}": "ā"}


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Holds one source.

    Attributes:
        key: under which it is cited, such as holm1979.
        bibtex: its entry.
        fields: of the entry: author, title, year and so on, as BibTeX writes them.
    """

    key: str
    bibtex: str
    fields: Mapping[str, str]

    @property
    def names(self) -> str:
        """Return the last names of the authors: "Hodges and Lehmann"; of more than three the first and "and others"."""
        last = [_plain(one).partition(",")[0] for one in self.fields["author"].split(" and ")]
        if len(last) > 3:
            return f"{last[0]} and others"
        *first, final = last
        return f"{', '.join(first)} and {final}" if first else final

    @property
    def line(self) -> str:
        """Write the source in a line of text: who, when, what, where."""
        own = {name: _plain(value) for name, value in self.fields.items()}
        where = next((own[name] for name in ("journal", "booktitle", "publisher", "school", "note") if name in own), "")
        place = own.get("volume", "") + (f"({own['number']})" if "number" in own else "")
        found = f"doi:{own['doi']}" if "doi" in own else f"arXiv:{own['eprint']}" if "eprint" in own else ""
        pages = own.get("pages", "")
        rest = ", ".join(part for part in (f"{where} {place}".strip(), pages, found) if part)
        return f"{self.names} ({own['year']}). {own['title']}. {rest}."


@cache
def references() -> Mapping[str, Reference]:
    """Return every source by its key, in alphabetical order."""
    text = (files("rothamsted") / "publish" / "exported" / "references.bib").read_text(encoding="utf-8")
    return {
        found["key"]: Reference(
            key=found["key"],
            bibtex=found[0],
            fields={one["name"]: one["value"] for one in _FIELD.finditer(found["fields"])},
        )
        for found in _ENTRY.finditer(text)
    }


def bibtex_of(keys: Iterable[str]) -> str:
    """Return the entries of some sources as a BibTeX file, in alphabetical order, each once."""
    known = references()
    return "\n\n".join(known[key].bibtex for key in sorted(set(keys))) + "\n"


def _plain(text: str) -> str:
    """A field as text without the commands and braces of BibTeX."""
    for command, letter in _ACCENTS.items():
        text = text.replace(command, letter)
    return text.replace("\\&", "&").replace("{", "").replace("}", "").replace("`", "'").replace("--", "–")
