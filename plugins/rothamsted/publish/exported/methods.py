"""Write the methods section of an export: a sentence for each procedure with its citations, in LaTeX and Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rothamsted.printable import markdown
from rothamsted.publish.exported.latex import latex
from rothamsted.publish.exported.procedures import Procedure, cited
from rothamsted.publish.exported.references import references


def methods_latex(found: Sequence[Procedure]) -> str:
    r"""Write the sentences with `\cite`, for a document with references.bib."""
    return "\n".join(_with_citation(latex(one.text), f"~\\cite{{{','.join(one.cites)}}}", one) for one in found) + "\n"


def methods_markdown(found: Sequence[Procedure]) -> str:
    """Write the sentences with citations as pandoc reads them, and the sources below."""
    lines = [
        _with_citation(markdown(one.text), f" [{'; '.join(f'@{key}' for key in one.cites)}]", one) for one in found
    ]
    known = references()
    sources = [f"- **{key}**: {markdown(known[key].line)}" for key in sorted(cited(found))]
    return "\n".join(["# Methods", "", *lines, *(["", "# Sources", "", *sources] if sources else [])]) + "\n"


def _with_citation(text: str, citation: str, one: Procedure) -> str:
    """A citation goes before the full stop at the end."""
    return f"{text.removesuffix('.')}{citation}." if one.cites else text
