"""Reads a page as its reader does: visible text by section, tables by caption, and what a browser would run."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "br", "img", "input", "hr"})
BLOCKS = frozenset({"p", "dt", "dd", "td", "th", "caption", "figcaption", "h1", "h2", "h3"})
UNSEEN = frozenset({"script", "style", "title"})


@dataclass
class ReadTable:
    """One table: its caption, headings and rows of cells."""

    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)  # classes of the rows


class Page(HTMLParser):
    """A page taken apart."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.section = ""
        self.sections: dict[str, list[str]] = {}
        self.tables: list[ReadTable] = []
        self.charts: list[ReadTable] = []  # the tables that are charts of intervals
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.elements.append((tag, given))
        self.sections.setdefault(self.section, []).append(" " if tag in BLOCKS else "")
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("section", "aside", "header"):
            self.section = given.get("id") or given.get("class") or tag
        if tag == "table":
            self.tables.append(ReadTable())
            self.charts += [self.tables[-1]] * ("chart" in given.get("class", "").split())
        if tag == "tr":
            self.tables[-1].rows.append([])
            self.tables[-1].marks.append(given.get("class", ""))
        if tag in ("td", "th"):
            self.tables[-1].rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if UNSEEN & set(self.open) and "svg" not in self.open:
            return
        data = data.replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")
        self.sections.setdefault(self.section, []).append(data)
        if "caption" in self.open:
            self.tables[-1].caption += data
        elif self.open and self.open[-1] in ("td", "th"):
            self.tables[-1].rows[-1][-1] += data

    def text(self, section: str | None = None) -> str:
        """The visible text of one section, or of the page, with plain spaces."""
        pieces = self.sections.get(section, []) if section else [one for all_ in self.sections.values() for one in all_]
        return " ".join("".join(pieces).split())

    def table(self, caption: str) -> ReadTable:
        """The table whose caption holds some words."""
        [found] = [one for one in self.tables if caption in " ".join(one.caption.split())]
        return found

    def count(self, tag: str) -> int:
        return sum(one == tag for one, _ in self.elements)
