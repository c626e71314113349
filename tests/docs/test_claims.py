"""What pages claim of the program and of the sweeps, checked where a program can."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from benchmarks import costs
from rothamsted.spec import plan
from rothamsted.sweeping.open.from_file import load
from tests.conftest import ROOT
from tests.faults.kinds import KINDS

DOCS = ROOT / "docs"
SWEEPS = sorted((ROOT / "sweeps").rglob("*.yaml"))


def literals() -> list[str]:
    """Every text of the program, pieces of f-strings joined with … for what is filled in."""
    found: list[str] = []
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values]
                found.append("".join(parts))
    return found


def test_each_message_of_the_troubleshooting_page_is_one_of_the_program() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(messages) >= 15
    texts = literals()
    for message in messages:
        pieces = [piece for piece in message.split("…") if piece.strip()]
        pattern = re.compile(".*".join(re.escape(piece) for piece in pieces), re.DOTALL)
        assert any(pattern.search(text) for text in texts), message


def test_each_kind_of_fault_that_the_page_names_is_one_of_the_program_of_faults() -> None:
    page = (DOCS / "faults.md").read_text(encoding="utf-8")
    named = {a or b for a, b in re.findall(r'--only (?:"([^"]+)"|(\w+))', page)}
    assert len(named) >= 8
    assert named <= {"kills", *KINDS}


def test_the_files_that_make_the_statistical_figures_again_are_there() -> None:
    page = (DOCS / "statistics.md").read_text(encoding="utf-8").partition("## Make the figures again")[2]
    named = re.findall(r"`(tests/[\w/]+\.py)`", page)
    assert len(named) > 15
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_the_table_of_peers_in_the_readme_has_the_numbers_of_the_log() -> None:
    def rows(text: str) -> dict[str, list[str]]:
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
        return {row[0]: row[1:] for row in cells}

    of_log = rows(
        (DOCS / "log.md").read_text(encoding="utf-8").partition("## 2026-11-29: other ways")[2].partition("\n## ")[0]
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Beside other tools")[2]
    shown = rows(readme.partition("\n## ")[0])
    tools = [name for name in shown if name in of_log and name.strip("-")]
    assert len(tools) == 7
    for name in tools:
        _, times_ours, start_up, _, killed, grid, _ = of_log[name]
        of_run = (times_ours, start_up, killed, grid)
        assert all(mine in ("-", theirs) for mine, theirs in zip(shown[name], of_run, strict=True)), name


def test_each_picture_is_made_by_the_one_script_and_is_shown() -> None:
    made = set(re.findall(r'"([\w-]+\.png)"', (DOCS / "images" / "remake.py").read_text(encoding="utf-8")))
    assert {path.name for path in (DOCS / "images").glob("*.*") if path.suffix != ".py"} == made
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name in made if f"docs/images/{name}" not in readme} == set()


PAGES = [path for path in (*ROOT.glob("*.md"), *DOCS.rglob("*.md")) if path.name not in ("log.md", "CHANGELOG.md")]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_modules_that_a_page_names_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tag_like = set(re.findall(r"`(rothamsted\.[\w.]+)", (DOCS / "metrics-and-tags.md").read_text(encoding="utf-8")))
    named = {name.rstrip(".") for name in re.findall(r"`(rothamsted\.[\w.]+)`", text)} - tag_like - {"rothamsted.KIND"}
    assert [name for name in named if not is_there(name)] == []


def is_there(name: str) -> bool:
    """Whether a dotted name is a module of the engine, or what one has."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        if (ROOT / "plugins").joinpath(*parts[:n]).with_suffix(".py").is_file():
            break
        if (ROOT / "plugins").joinpath(*parts[:n], "__init__.py").is_file():
            break
    else:
        return False
    found = importlib.import_module(".".join(parts[:n]))
    for part in parts[n:]:
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True


def test_the_files_where_a_change_goes_are_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page.partition("## Where a change goes")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([\w./-]+\.(?:py|pyi|md|json))`", table))
    assert len(named) > 25
    tops = (ROOT, ROOT / "plugins" / "rothamsted")
    assert [name for name in named if not any((top / name).is_file() for top in tops)] == []


def test_files_and_functions_are_no_longer_than_contributing_says() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = re.search(r"a test fails for files over (\d+) and functions over (\d+)", page)
    assert found is not None
    most_of_file, most_of_function = int(found[1]), int(found[2])
    long: list[str] = []
    for path in (path for top in ("plugins", "projects", "benchmarks") for path in (ROOT / top).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > most_of_file:
            long.append(str(path))
        for node in ast.walk(ast.parse(text)):
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if is_function and (node.end_lineno or 0) - node.lineno + 1 > most_of_function:
                long.append(f"{path}: {node.name}")
    assert long == []


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_the_cost_of_a_sweep_file_has_the_number_of_its_trainings(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    sweep, _ = load(path, {}, ROOT)
    size = plan(sweep)
    n_all = size.n_trainings + size.n_stage_trainings + size.n_confirm_trainings
    [cost] = re.findall(r"^# Cost: .*\n(?:#   .*\n)*", path.read_text(encoding="utf-8"), re.MULTILINE)
    stated = {int(number.replace(",", "")) for number in re.findall(r"\b[\d,]*\d\b", cost)}
    factors = {size.n_conditions, size.n_replicates, len(sweep.confirm_seeds)} - {0}
    assert n_all in stated or size.n_trainings in stated or factors <= stated, cost


def test_the_line_of_a_measured_cost_counts_trainings_and_replaces_the_old_one_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    path = ROOT / "sweeps" / "batch_size" / "staged.yaml"
    sweep, _ = load(path, {}, ROOT)
    header = re.compile(r"^# Cost: .*\n(?:#   .*\n)*", re.MULTILINE)
    text, n_headers = header.subn("# Cost: long,\n#   in two lines.\n", path.read_text(encoding="utf-8"))
    assert n_headers == 1
    new = costs.line(sweep, costs.Cost(seconds=17.6, processor=200.2, n_cores=2))
    # By hand: 18 conditions x 3 seeds, the best 3 again with 3 seeds, 10 fresh seeds: 54 + 9 + 10.
    assert " ".join(new.replace("\n#  ", "").split()) == (
        "# Cost: 18 conditions x 3 seeds, the best 3 in stage 2 (9 trainings), 10 fresh seeds for the best: 73 "
        "trainings; 18 s on 2 cores, 3 min 20 s of processor time (python -m benchmarks.costs)."
    )
    assert max(map(len, new.splitlines())) <= costs.WIDTH
    written = costs.with_line(text, new)
    assert costs.with_line(written, new) == written
    assert costs.stated_seconds(written) == 18
    kept = [line for line in text.splitlines() if not re.match(r"# Cost:|#   in two lines", line)]
    assert [line for line in written.splitlines() if line not in new.splitlines()] == kept


def test_a_cost_is_measured_of_a_whole_sweep(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    document = "study: batch_size\nparameters: {width: 8, steps: 4}\nspace: {batch_size: [16, 32]}\nreplicates: 1\n"
    document += "execution: {executor: in_process, workers: 1}\n"
    path.write_text(f"name: tiny\n{document}objective: {{metric: val_loss, direction: minimize}}\n")
    found = costs.measured(path, n_times=1)
    assert isinstance(found, costs.Cost), found
    assert 0.5 < found.seconds < 300
    assert found.processor > 0.5  # start, two trainings, a report
    path.write_text(f"name: tiny\n{document}objective: {{metric: valloss, direction: minimize}}\n")
    assert "valloss" in str(costs.measured(path, n_times=1))
