"""Print the table of a benchmark (figure, target, verdict), and write its JSON on request."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, kw_only=True)
class Figure:
    """Holds one measured number.

    Attributes:
        name: what was measured.
        value: the number.
        unit: of the value.
        at_most: the target, where the number has to be small.
        at_least: the target, where it has to be large.
        note: how it was measured, where the name does not say.
    """

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Say whether the target is met; None if there is none."""
        if self.at_most is not None:
            return self.value <= self.at_most
        if self.at_least is not None:
            return self.value >= self.at_least
        return None


def publish(title: str, figures: Sequence[Figure], json_path: Path | None = None) -> None:
    """Print the figures as a table; write them as JSON where a path is given."""
    Console(width=150).print(_table(title, figures))
    if json_path is not None:
        document = {"title": title, "machine": _machine(), "figures": [asdict(figure) for figure in figures]}
        json_path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _table(title: str, figures: Sequence[Figure]) -> Table:
    table = Table(title=f"{title}, {_machine()}", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    table.add_column("how")
    for figure in figures:
        verdict = {True: "reached", False: "MISSED", None: ""}[figure.is_reached]
        table.add_row(figure.name, f"{figure.value:.4g} {figure.unit}", _target(figure), verdict, figure.note)
    return table


def _target(figure: Figure) -> str:
    if figure.at_most is not None:
        return f"<= {figure.at_most:g}"
    return f">= {figure.at_least:g}" if figure.at_least is not None else ""


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}"
