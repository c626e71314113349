"""Write what a paper needs of a sweep: tables for LaTeX and Markdown, methods, sources, answers to the checklist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rothamsted.analysis.sweep_runs import read_sweep_runs
from rothamsted.analysis.values import Analysis
from rothamsted.publish.exported.checklist import checklist
from rothamsted.publish.exported.compute import compute_of_runs, compute_of_sweep
from rothamsted.publish.exported.latex import latex_table
from rothamsted.publish.exported.markdown_table import markdown_table
from rothamsted.publish.exported.methods import methods_latex, methods_markdown
from rothamsted.publish.exported.procedures import cited, procedures
from rothamsted.publish.exported.references import bibtex_of
from rothamsted.reporting.tables.of_paper import comparisons_for_paper, conditions_for_paper, confirmed_for_paper

FOLDER = "paper"


def write_paper(analysis: Analysis, folder: Path, *, uri: str = "") -> Iterator[tuple[Path, str]]:
    """Write the parts into `paper/` of a folder that is there; gives each path with what it is.

    Args:
        analysis: What was computed.
        folder: Where to.
        uri: Tracking URI, for machines and times; empty: these are not recorded.

    Raises:
        OSError: The folder cannot be written.
    """
    own = folder / FOLDER
    own.mkdir(exist_ok=True)
    for name, text, what in _files(analysis, uri):
        path = own / name
        path.write_text(text, encoding="utf-8")
        yield path, what


def _files(analysis: Analysis, uri: str) -> Iterator[tuple[str, str, str]]:
    """Name, text and meaning of each file."""
    dataset = analysis.dataset
    tables = {
        "results": conditions_for_paper(analysis) if analysis.ranking else None,
        "confirmed": confirmed_for_paper(analysis),
        "comparisons": comparisons_for_paper(analysis),
    }
    for name, table in tables.items():
        if table is not None:
            comment = f"{dataset.name}, run {dataset.run_id}"
            yield f"{name}.tex", latex_table(table, f"{dataset.name}-{name}", comment), f"table {name} for LaTeX"
            yield f"{name}.md", markdown_table(table), f"table {name} in Markdown"
    found = procedures(analysis)
    yield "methods.tex", methods_latex(found), "methods for LaTeX"
    yield "methods.md", methods_markdown(found), "methods in Markdown, with the sources"
    if keys := cited(found):
        yield "references.bib", bibtex_of(keys), "sources that the methods cite"
    is_swept = dataset.kind == "sweep" and uri
    compute = compute_of_sweep(read_sweep_runs(dataset.run_id, uri=uri), uri=uri) if is_swept else None
    yield (
        "checklist.md",
        checklist(analysis, compute or compute_of_runs(dataset)),
        "NeurIPS checklist, error bars and compute",
    )
