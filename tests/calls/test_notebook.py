"""A notebook in a real kernel: a study in a cell, a sweep whose workers get it by value, the view and the figures."""

from __future__ import annotations

import html
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

CELLS = (
    """
import os
import random
import rothamsted as rt

OFFSET = 0.5
OWN = os.getpid()

def noise():
    return random.gauss(0, 0.01)

def train(seed: int, lr: float = 0.1):
    for step in range(3):
        yield {"loss": (lr - OFFSET) ** 2 + noise() / (step + 1), "is_elsewhere": float(os.getpid() != OWN)}
""",
    """
r = rt.sweep(
    train, {"lr": [0.1, 0.5, 0.9]}, metric="loss", direction="minimize", replicates=3, confirm=3, workers=2
)
r
""",
    "r.plot()",
    'r.plot("curves", metric="loss")',
    'print(len(r.replicates), r.replicates["is_elsewhere"].min(), r.best.values["lr"])',
    'rt.load("train").confirmed.n',
    """
small = rt.sweep(train, {"lr": [0.1, 0.5]}, name="small", metric="loss", direction="minimize", replicates=2, workers=1)
small
""",
)


@pytest.fixture
def cells(tmp_path: Path, new_mlflow: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The outputs of each cell, run by a kernel of its own in an empty folder."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", new_mlflow(tmp_path))
    for name in ("HOME", "IPYTHONDIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text.strip()) for text in CELLS])
    kernel = {"kernel_name": "python3", "resources": {"metadata": {"path": str(tmp_path)}}}
    client = nbclient.NotebookClient(book, timeout=400, **kernel)
    with client.setup_kernel(env=dict(os.environ)):
        for at, cell in enumerate(book.cells):
            client.execute_cell(cell, at)
        pasted = nbformat.v4.new_code_cell(proposed(book.cells[-1].outputs) + ".confirmed.n")
        book.cells.append(pasted)
        client.execute_cell(pasted, len(book.cells) - 1)
    yield [cell.outputs for cell in book.cells]
    shutil.rmtree(tmp_path / "home", ignore_errors=True)


def proposed(outputs: Any) -> str:
    """The call that the view of a result proposes first."""
    [_, first, *_] = data_of(outputs)["text/html"].split("<pre>")
    return html.unescape(first.partition("</pre>")[0])


def text_of(outputs: Any) -> str:
    """All that a cell shows, without its value."""
    shown = [one.get("text", "") or one.get("data", {}).get("text/plain", "") for one in outputs]
    kinds = [one.output_type for one in outputs]
    return "\n".join(text for text, kind in zip(shown, kinds, strict=True) if kind != "execute_result")


def data_of(outputs: Any) -> dict[str, Any]:
    """What the value of the cell is shown as."""
    [shown] = [one.data for one in outputs if one.output_type == "execute_result"]
    return shown


def test_a_notebook_sweeps_its_own_function_and_shows_the_result(cells: list[Any]) -> None:
    _, swept, intervals, curves, printed, loaded, _, confirmed = cells
    view = data_of(swept)["text/html"]
    assert "<svg" in view
    # Once: the view has the verdict, the conditions and where to look, so that nothing of it is printed above.
    assert "can be the best" in view
    assert "optuna-dashboard" in view
    above = text_of(swept)
    assert "12 done" in above
    assert [words for words in ("can be the best", "optuna-dashboard", "Best conditions") if words in above] == []
    assert view.count("<tr") == 1 + 3
    assert all(data_of(one)["image/png"] for one in (intervals, curves))
    # 3 rates x 3 seeds and 3 fresh seeds, all in other processes; 0.5 is the minimum by the cell's own formula.
    assert "".join(one.text for one in printed) == "12 1.0 0.5\n"
    assert data_of(loaded)["text/plain"] == "3"
    # reporting.next_steps.FRESH_SEEDS: the proposed call, pasted into a cell as it is shown.
    assert data_of(confirmed)["text/plain"] == "10"
