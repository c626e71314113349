"""LaTeX of an export: every name is set as it is read, no name is a command, tables are whole."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexEnvironmentNode, LatexWalker, LatexWalkerParseError

from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.publish.exported.latex import latex, latex_table
from rothamsted.publish.exported.markdown_table import markdown_table
from rothamsted.reporting.parts import Cell, Column, DataTable, Row
from rothamsted.reporting.tables.of_paper import comparisons_for_paper, conditions_for_paper, confirmed_for_paper
from tests.analysis.runs import dataset

HOSTILE = [
    r"50% & $x_1$ #{a}~b^c \input{/etc/passwd}",
    "a\\\\[3em] \\end{table}",
    "*starred* [1, 2]",
    "--lr ''quoted'' ,,low,,",
    'tab\there "quotes" `ticks` <b> a|b',
    "\x1b[31mred\u202e",
]


def parsed(text: str) -> list[object]:
    """The nodes of a text, by pylatexenc, which refuses braces and environments that do not close."""
    nodes, _, _ = LatexWalker(text, tolerant_parsing=False).get_latex_nodes()
    return nodes


def rows_of(text: str) -> list[list[str]]:
    """The cells of the body of a table, split at what is no escaped sign."""
    body = text.partition("\\midrule\n")[2].partition("    \\bottomrule")[0]
    lines = [line.strip() for line in body.strip("\n").splitlines()]
    assert all(line.endswith(r" \\") for line in lines)
    return [re.split(r"(?<!\\) & ", line.removesuffix(r" \\")) for line in lines]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_is_set_as_it_is_read_and_is_no_command(text: str) -> None:
    # Authority: pylatexenc, which reads LaTeX back. What is no printable character is shown as Python writes it.
    written = latex(text)
    shown = text.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e").replace("\t", " ").replace("^", "ˆ")
    read = LatexNodes2Text(math_mode="text", strict_latex_spaces=True).latex_to_text(written)
    assert " ".join(read.split()) == " ".join(shown.split())
    assert set(re.findall(r"\\[a-z]+", written)) <= {
        *(r"\textbackslash", r"\textasciitilde", r"\textasciicircum", r"\textasciigrave")
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("−0.5 ± λ", r"$-$0.5 ± $\lambda$"),
        ("1.2 × 10⁻⁵", r"1.2 $\times$ 10$^{-5}$"),
        ("n\u00a0=\u00a03, 95\u202f%", r"n~=~3, 95\,\%"),
        ("Γ and Α", r"$\Gamma$ and Α"),  # the second is a Greek Alpha, for which LaTeX has no command
        ("ς", r"$\varsigma$"),
    ],
)
def test_signs_of_numbers_and_greek_letters_are_those_of_latex(text: str, expected: str) -> None:
    assert latex(text) == expected


def test_a_table_is_balanced_and_each_row_has_every_cell() -> None:
    rows = tuple(Row(cells=(Cell(text=text), Cell(text="1"))) for text in [*HOSTILE, "[256, 128]", "* a"])
    table = DataTable(
        caption=HOSTILE[0], columns=(Column(title=HOSTILE[1]), Column(title="n", is_numeric=True)), rows=rows
    )
    text = latex_table(table, "a/b c", "of\nme")
    [found] = [node for node in parsed(text) if isinstance(node, LatexEnvironmentNode)]
    assert found.environmentname == "table"
    cells = rows_of(text)
    assert [len(row) for row in cells] == [2] * len(rows)
    assert not any(
        row[0].startswith(("[", "*")) for row in cells
    )  # LaTeX would take it for an option of the row before
    assert "\\label{tab:a-b-c}" in text
    assert text.startswith("% of me\n")


def test_the_check_of_braces_can_fail() -> None:
    with pytest.raises(LatexWalkerParseError):
        parsed(r"\begin{table} { \end{table}")


def test_digits_follow_the_interval_and_a_verdict_stands_beside_it() -> None:
    # By hand: mean 2, sd 1, n 3; t(0.975, df=2) = 4.302653; half-width 2.484: two digits of it are one decimal.
    given = dataset({0: [1.0, 2.0, 3.0], 1: [104.0, 105.0, 106.0]})
    table = conditions_for_paper(analyze(given))
    assert [cell.text for cell in table.rows[0].cells] == ["0", "0", "2.0 [−0.5, 4.5]", "3", "best\u00a0mean"]
    assert table.rows[1].cells[-1].text == "worse"
    assert [one.title for one in table.columns] == ["no.", "x", "loss", "n", "verdict"]
    assert "mean over 3\u00a0replicates with 95\u202f% confidence interval (Student's t)" in table.caption
    assert rows_of(latex_table(table, "t"))[0][2] == "2.0 [$-$0.5, 4.5]"


def test_a_condition_without_a_rank_is_in_no_row_and_named_below() -> None:
    given = dataset({0: [1.0, 2.0], 1: [2.0, 3.0], 2: [1.0, float("inf")]}, outcomes={(2, 1): "diverged"})
    table = conditions_for_paper(analyze(given))
    assert len(table.rows) == 2
    assert "1 of 3\u00a0conditions has no rank: in 1 a replicate diverged." in table.notes


def test_fresh_seeds_and_comparisons_have_tables_where_they_are() -> None:
    plain = analyze(dataset({0: [1.0, 2.0], 1: [2.0, 3.0]}))
    assert (confirmed_for_paper(plain), comparisons_for_paper(plain)) == (None, None)
    given = dataset({0: [1.0, 2.0, 3.0], 1: [2.0, 3.0, 4.5]}, confirm={0: [1.1, 1.2, 1.3]})
    found = analyze(given, Settings(reference=0))
    confirmed, compared = confirmed_for_paper(found), comparisons_for_paper(found)
    assert confirmed is not None
    assert compared is not None
    assert [cell.text for cell in confirmed.rows[0].cells][:3] == ["x=0", "2.0 [−0.5, 4.5]", "3"]
    assert compared.rows[0].cells[0].text == "x=1"
    for table in (confirmed, compared):
        assert parsed(latex_table(table, "t"))
        assert {len(row) for row in rows_of(latex_table(table, "t"))} == {len(table.columns)}


def test_markdown_cells_stay_in_their_rows_and_make_no_tag_or_link() -> None:
    rows = (Row(cells=(Cell(text="a|b\nc"), Cell(text="<script>"), Cell(text="[x](http://h)"))),)
    table = DataTable(
        caption="<img src=x>", columns=(Column(title="a"), Column(title="b"), Column(title="c")), rows=rows
    )
    lines = markdown_table(table).splitlines()
    assert lines[0] == "&lt;img src=x>"
    assert lines[4] == r"| a\|b c | &lt;script> | [x\](http://h) |"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex here")
def test_pdflatex_sets_all_tables_and_methods(exported: Path, tmp_path: Path) -> None:
    paper = exported / "paper"
    inputs = "".join(f"\\input{{{path}}}\n" for path in sorted(paper.glob("*.tex")))
    head = "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs}"
    document = f"{head}\\begin{{document}}{inputs}\\bibliographystyle{{plain}}\\bibliography{{{paper}/references}}"
    (tmp_path / "a.tex").write_text(document + "\\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
