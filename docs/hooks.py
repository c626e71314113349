"""What the site needs beside Material: pages from outside docs/, links to files of the repository, titles of blocks.

README, SECURITY and the like stay where people look for them and are pages of the site, too. A link to a file that is
no page leads to a copy of the file in the site, so that the site is whole without a network.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
PAGES = {  # of the repository -> of the site
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
}
COPIED = "repository"  # folder of the site with the files that pages link to
_LINK = re.compile(r"(?<=\]\()(?!https?://|#|mailto:)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?(?=\))")
_BLOCK = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^(?P<mark> *```)(?P<language>\w+) (?P<words>[^\n]*)$", re.MULTILINE)
_FILE = re.compile(r"\bfile=(\S+)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside docs/, and the files that pages link to."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    linked: set[str] = set()
    for one in list(files):
        if one.src_uri.endswith(".md"):
            linked |= {path for path in _outside(one.content_string, one.src_uri) if (ROOT / path).is_file()}
    for path in sorted(linked - set(PAGES)):
        files.append(File.generated(config, f"{COPIED}/{_served(path)}", abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point the page's links into the site, and give a block that is a file its name as a title."""
    here = page.file.src_uri
    folder = posixpath.dirname(here) or "."

    def target(found: re.Match[str]) -> str:
        path, anchor = _in_repository(found["path"], here), found["anchor"] or ""
        if path in PAGES:
            return posixpath.relpath(PAGES[path], folder) + anchor
        if path.startswith("docs/"):
            return posixpath.relpath(path.removeprefix("docs/"), folder) + anchor
        return posixpath.relpath(f"{COPIED}/{_served(path)}", folder) + anchor

    parts = _BLOCK.split(markdown)  # text, block, text, ...: a link is never inside a block
    return "".join(_FENCE.sub(_fence, part) if n % 2 else _LINK.sub(target, part) for n, part in enumerate(parts))


def _fence(found: re.Match[str]) -> str:
    """An opening fence without the words that only tests read."""
    name = _FILE.search(found["words"])
    return f"{found['mark']}{found['language']}" + (f' title="{name[1]}"' if name else "")


def _outside(text: str, page: str) -> set[str]:
    paths = {_in_repository(found["path"], page) for found in _LINK.finditer(text)}
    return {path for path in paths if not path.startswith("docs/")}


def _in_repository(path: str, page: str) -> str:
    """Where a link of a page leads, from the repository's root."""
    home = {site: source for source, site in PAGES.items()}.get(page, f"docs/{page}")
    return posixpath.normpath(posixpath.join(posixpath.dirname(home), path))


def _served(path: str) -> str:
    """The name of a copied file in the site: Markdown would become a page, so it is text there."""
    return f"{path}.txt" if path.endswith(".md") else path
