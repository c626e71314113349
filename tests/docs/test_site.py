"""The built site: no dead link or anchor, nothing from the network, no page that the navigation lacks."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import yaml

from tests.conftest import ROOT

FETCHED = {("script", "src"), ("link", "href"), ("img", "src"), ("iframe", "src")}  # what a browser loads by itself


class Page(HTMLParser):
    """What a page links to and loads, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element's address and its id."""
        found = dict(attrs)
        self.anchors |= {value for key in ("id", "name") if (value := found.get(key))}
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        for key in ("src", "href"):
            if (tag, key) in FETCHED and found.get(key):
                self.loads.append(str(found[key]))


@cache
def page_at(path: Path) -> Page:
    """A page, read once."""
    return Page(path)


def is_elsewhere(address: str) -> bool:
    """Whether an address leads out of the site."""
    return re.match(r"[a-z]+:|//", address) is not None


def is_dead(link: str, page: Path, site: Path) -> bool:
    """Whether a link of a page leads to no file or no anchor of the site."""
    name, anchor = urldefrag(unquote(link))
    target = (page.parent / name).resolve() if name else page
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file() or not target.is_relative_to(site.resolve()):
        return True
    return bool(anchor) and target.suffix == ".html" and anchor not in page_at(target).anchors


def dead(site: Path, page: Path) -> list[str]:
    """The links of a page that lead nowhere in the site."""
    return [link for link in page_at(page).links if not is_elsewhere(link) and is_dead(link, page, site)]


def test_no_link_or_anchor_of_the_site_is_dead(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 50
    checked = {str(page.relative_to(site)): dead(site, page) for page in pages if page.name != "404.html"}
    assert {name: links for name, links in checked.items() if links} == {}


def test_reading_the_site_needs_no_network(site: Path) -> None:
    pages = {str(page.relative_to(site)): page_at(page).loads for page in site.rglob("*.html")}
    elsewhere = {name: [one for one in loads if is_elsewhere(one)] for name, loads in pages.items()}
    assert {name: loads for name, loads in elsewhere.items() if loads} == {}
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(['\"]?https?:", styles) == []


def test_the_site_has_the_four_parts_and_every_page_of_the_folder() -> None:
    # Tutorial, how-to, reference, explanation: https://diataxis.fr
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(text)["nav"]
    assert [next(iter(part)) for part in nav] == ["Home", "Tutorial", "How to", "Reference", "Explanation", "Help"]
    named = set(re.findall(r"[\w./-]+\.md", text.partition("\nnav:")[2]))
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    decisions = {page for page in pages if page.startswith("decisions/")}  # its index lists them
    listed = (ROOT / "docs" / "decisions" / "index.md").read_text(encoding="utf-8")
    assert pages - decisions <= named
    assert {
        page for page in decisions - {"decisions/index.md"} if page.removeprefix("decisions/") not in listed
    } == set()


@pytest.mark.parametrize("name", ["sweep", "Result", "UserError"])
def test_the_reference_of_python_has_each_public_name_with_its_words(site: Path, name: str) -> None:
    text = (site / "api.html").read_text(encoding="utf-8")
    assert f'id="rothamsted.{name}"' in text
    assert len(re.sub(r"<[^>]+>", "", text)) > 20_000  # the docstrings are there


def test_the_reference_of_python_names_all_that_is_public() -> None:
    import rothamsted

    named = re.findall(r"^::: rothamsted\.(\w+)$", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == rothamsted.__all__
