r"""Write text and tables for LaTeX: every character of a name is escaped, so that none is a command.

The tables need only the package booktabs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from rothamsted.printable import printable
from rothamsted.reporting.parts import DataTable

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "`": r"\textasciigrave{}",
    "\n": " ",
    "\t": " ",
    "\N{MINUS SIGN}": r"$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{EN DASH}": r"\textendash{}",
    "\N{NO-BREAK SPACE}": "~",
    "\N{NARROW NO-BREAK SPACE}": r"\,",
    "\N{BLACK CIRCLE}": r"$\bullet$",
    "\N{WHITE CIRCLE}": r"$\circ$",
}
_LIGATURE = re.compile(r"([-',])(?=\1)")  # two of them would be set as another character
_RAISED = re.compile(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_GREEK = re.compile(r"GREEK (SMALL|CAPITAL) LETTER (\w+(?: SIGMA)?)")
_OWN_LETTERS = {
    "LAMDA": "lambda",
    "OMICRON": "",
    "FINAL SIGMA": "varsigma",
}  # Unicode's name -> the command's; none: no command
_HAVE_CAPITAL = {"GAMMA", "DELTA", "THETA", "LAMDA", "XI", "PI", "SIGMA", "UPSILON", "PHI", "PSI", "OMEGA"}


def latex(text: str) -> str:
    r"""Write text as LaTeX sets it; letters that LaTeX does not know by itself stay as they are.

    Example:
        >>> latex("50% of val_loss & λ")
        '50\\% of val\\_loss \\& $\\lambda$'
    """
    parts, end = [], 0
    clean = printable(text)
    for found in _RAISED.finditer(clean):
        parts += [*map(_letter, clean[end : found.start()]), f"$^{{{found[0].translate(_DIGITS)}}}$"]
        end = found.end()
    return _LIGATURE.sub(r"\1{}", "".join([*parts, *map(_letter, clean[end:])]))


def latex_table(table: DataTable, label: str, comment: str = "") -> str:
    r"""Write a table as a float with booktabs' rules: `\input` it. Notes stand below it.

    Args:
        table: Whose texts are escaped here.
        label: For `\ref`, without its prefix `tab:`.
        comment: A line at the top.
    """
    kinds = "".join("r" if one.is_numeric else "l" for one in table.columns)
    rows = [_row([cell.text for cell in row.cells]) for row in table.rows]
    notes = [f"  \\par\\smallskip\\footnotesize {latex(note)}" for note in table.notes]
    name = re.sub(r"[^A-Za-z0-9.-]+", "-", label).strip("-")
    lines = [
        *([f"% {' '.join(printable(comment).split())}"] if comment else []),
        "% needs \\usepackage{booktabs} before \\begin{document}",
        "\\begin{table}",
        "  \\centering",
        f"  \\caption{{{latex(table.caption)}}}",
        f"  \\label{{tab:{name}}}",
        f"  \\begin{{tabular}}{{{kinds}}}",
        "    \\toprule",
        f"    {_row([one.title for one in table.columns])}",
        "    \\midrule",
        *(f"    {row}" for row in rows),
        "    \\bottomrule",
        "  \\end{tabular}",
        *notes,
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    """A row; where it begins with * or [ this is no option of the line break before it."""
    return " & ".join(f"{{}}{text}" if text[:1] in ("*", "[") else text for text in map(latex, cells)) + r" \\"


def _letter(letter: str) -> str:
    if letter in _COMMANDS:
        return _COMMANDS[letter]
    found = _GREEK.fullmatch(unicodedata.name(letter, ""))
    if letter.isascii() or found is None:
        return letter
    case, name = found.groups()
    own = _OWN_LETTERS.get(name, name.lower())
    if not own or (case == "CAPITAL" and name not in _HAVE_CAPITAL):
        return letter
    return f"$\\{own.capitalize() if case == 'CAPITAL' else own}$"
