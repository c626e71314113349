"""Make the page docs/references.md: the sources of every procedure, from what exports cite. A test compares them.

Make it again with `python -m rothamsted.publish.exported.references_page > docs/references.md`.
"""

from __future__ import annotations

from rothamsted.publish.exported.procedure_sources import sources_by_procedure
from rothamsted.publish.exported.references import references

_HEAD = """# Sources of the procedures

Made from what `rothamsted export` cites: `python -m rothamsted.publish.exported.references_page > docs/references.md`.
The entries in BibTeX: `plugins/rothamsted/publish/exported/references.bib`. How each number is made, and how it is
known to be right: [statistics.md](statistics.md).
"""


def page() -> str:
    """Write the whole page: sources by procedure, then each source in a line."""
    known = references()
    parts = [_HEAD]
    for heading, rows in sources_by_procedure().items():
        lines = [f"| {words} | {', '.join(known[key].key for key in keys)} |" for words, keys in rows.items()]
        parts.append("\n".join([f"## {heading}", "", "| procedure | sources |", "|---|---|", *lines, ""]))
    listed = "\n".join(f"- **{key}**: {one.line}" for key, one in known.items())
    return "\n".join([*parts, f"## Sources\n\n{listed}\n"])


if __name__ == "__main__":
    print(page(), end="")
