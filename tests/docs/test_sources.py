"""Figures on pages: each has a command that gives it, and counts and options are those of the program."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rothamsted.cli.keys_page import page as keys_page
from rothamsted.spec import plan
from rothamsted.spec.explain import explained_keys
from rothamsted.sweeping.open.from_file import load
from tests.conftest import ROOT
from tests.docs.test_claims import literals

DOCS = ROOT / "docs"
STUDIES = sorted((DOCS / "studies").glob("*.md"))
# Made by the program, the dated results themselves, and the page on how to write, whose figures are examples.
NOT_SHOWN = {"log.md", "keys.md", "commands.md", "glossary.md", "style.md"}
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")),
    *sorted(path for path in DOCS.rglob("*.md") if path.name not in NOT_SHOWN),
]
FIGURE = re.compile(r"(?<![\w.,{$=:-])\d[\d,.]*(?: to \d[\d,.]*)? (?:%|ms|s|MB|MiB|kB|KiB|times|min)(?!\w)|[Cc]overage")
COMMAND = re.compile(r"(?:python -m|pytest|rothamsted|mlflow run) \S|\]\([./]*(?:docs/)?(?:log|statistics)\.md")
BLOCK = re.compile(r"^ *```(\w*)[^\n]*\n.*?^ *```$", re.MULTILINE | re.DOTALL)
# Sections whose only figures are settings or sizes that somebody chose: nothing was measured.
SETTINGS = {
    ("any-project.md", "What is needed of the project"),
    ("clusters.md", "Checkpoints without a shared folder"),
    ("clusters.md", "Sweeps on many machines"),
    ("emnist_mlp.md", "The data"),
    ("image_classifier.md", "Limits"),
    ("image_classifier.md", "Training"),
    ("image_classifier.md", "What is measured"),
    ("import.md", "Tables"),
    ("reproduce.md", "What is on record"),
    ("sweep-file.md", "Models"),
}


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Title and text of each section, without blocks of code other than commands."""
    kept = {"bash", "text"}
    text = BLOCK.sub(lambda block: block[0].replace("#", "") if block[1] in kept else "", text)
    pieces = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    yield from zip(pieces[1::2], pieces[2::2], strict=True)


def figures(text: str) -> list[str]:
    """What reads like a speed, a size or a rate, outside of code."""
    return FIGURE.findall(re.sub(r"`[^`\n]+`", "`x`", BLOCK.sub("", text)))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_a_section_with_a_figure_of_speed_or_error_names_the_command_that_gives_it(path: Path) -> None:
    head, *below = sections(path.read_text(encoding="utf-8"))
    assert (path.name, head[0]) in SETTINGS or not figures(head[1]) or COMMAND.search(head[1])
    bare = [title for title, text in below if figures(text) and not COMMAND.search(text)]
    if not re.search(r"pytest -m slow -s|^python -m benchmarks", head[1], re.MULTILINE):  # for the whole page
        assert [title for title in bare if (path.name, title) not in SETTINGS] == []


def test_the_figures_of_the_readme_are_in_the_log() -> None:
    log = (DOCS / "log.md").read_text(encoding="utf-8")
    text = BLOCK.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
    prose = [line for line in text.splitlines() if line[:1] != "|"]
    sourced = [line for line in prose if "docs/log.md" in line]
    assert [line for line in prose if FIGURE.search(line) and line not in sourced] == []
    numbers = [
        number for line in sourced for number in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?= (?:s\b|random|on ))", line)
    ]
    assert len(numbers) >= 5
    assert [number for number in numbers if not re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.]\d)", log)] == []


def trainings(path: Path) -> int:
    """All trainings of a sweep file, stages and confirmation included."""
    size = plan(load(path, {}, ROOT)[0])
    return size.n_trainings + size.n_stage_trainings + size.n_confirm_trainings


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_page_of_a_study_has_the_trainings_of_each_of_its_sweeps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    [table] = [text for title, text in sections(path.read_text(encoding="utf-8")) if title in ("Sweeps", "The sweeps")]
    rows = [re.findall(r"^\| (`[^|]+) \| [^|]+ \|(.*)$", line)[0] for line in table.splitlines() if line[:3] == "| `"]
    named = {name: cells for names, cells in rows for name in re.findall(r"`(\w+)`", names)}
    files = {file.stem: file for file in (ROOT / "sweeps" / path.stem).glob("*.yaml")}
    assert set(named) == set(files)
    for name, cells in named.items():
        stated = {int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", cells)}
        assert not stated or trainings(files[name]) in stated, name


def test_the_pages_count_the_trainings_of_shipped_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = (DOCS / "which-search.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` (\w+) \| ([\d,]+)", page, re.MULTILINE)
    assert len(rows) >= 8
    for study, name, number in rows:
        folder = ROOT / "sweeps" if name == "quickstart" else ROOT / "sweeps" / study
        assert trainings(folder / f"{name}.yaml") == int(number.replace(",", "")), name
    assert f"digits, {trainings(ROOT / 'sweeps' / 'quickstart.yaml')} trainings" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_results_say_with_what_they_were_measured_and_how_they_are_made_again(path: Path) -> None:
    titles = ("What was found", "Measured", "What was measured")
    [results] = [text for title, text in sections(path.read_text(encoding="utf-8")) if title in titles]
    assert re.search(r"processor \(?not recorded|\(processor: ", results)
    assert re.search(r"Python 3\.\d+, (?:torch|jax) \d+\.\d+", results)
    assert "bit for bit, on one machine with one set of packages" in results
    assert "second processor" in results
    assert re.search(r"rothamsted sweep \S", results)


def test_the_layers_of_the_design_are_those_that_imports_keep_to() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = document["tool"]["importlinter"]["contracts"]
    [kept] = [one["layers"] for one in contracts if "rothamsted.catalog" in one.get("layers", ())]
    page = (DOCS / "design.md").read_text(encoding="utf-8").partition("## Inside `rothamsted`")[2]
    block = re.search(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None
    shown = [re.match(r"[\w |]+?(?=  |$| {3}|\n)", line) for line in block[1].splitlines()]
    assert [set(line[0].split(" | ")) for line in shown if line] == [
        {name.removeprefix("rothamsted.") for name in layer.split(" | ")} for layer in kept
    ]


def test_the_stage_of_dvc_depends_on_each_module_that_its_code_imports() -> None:
    [stage] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"].values()
    given = {path for one in stage["deps"] for path in (ROOT / one, *(ROOT / one).rglob("*.py")) if path.is_file()}
    assert len(given) > 8
    text = "".join(path.read_text(encoding="utf-8") for path in given)
    named = {
        ROOT.joinpath("projects", *name.split(".")) for name in re.findall(r"^from projects\.([\w.]+) ", text, re.M)
    }
    assert [path for path in named if not given & {path.with_suffix(".py"), path / "__init__.py"}] == []


def options_of(name: str) -> set[str]:
    """The options that a benchmark takes: those that it adds, and the arguments of what `auto_cli` runs."""
    tree = ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    first = [node.args[0] for node in calls if node.args]
    added = {arg.value for arg in first if isinstance(arg, ast.Constant) and str(arg.value).startswith("--")}
    run = {
        node.args[0].id
        for node in calls
        if isinstance(node.func, ast.Name) and node.func.id == "auto_cli" and isinstance(node.args[0], ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in run:
            added |= {f"--{arg.arg}" for arg in (*node.args.args, *node.args.kwonlyargs)}
    return {str(option) for option in added}


def test_the_options_of_benchmarks_that_pages_name_are_there() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    programs = set(re.findall(r"^python -m benchmarks\.(\w+)", page, re.MULTILINE))
    assert len(programs) >= 14
    named = {(title, option) for title, text in sections(page) if title in programs for option in _options(text)}
    for path in PAGES:
        for name, words in re.findall(r"python -m benchmarks\.(\w+)([^`\n#]*)", path.read_text(encoding="utf-8")):
            named |= {(name, option) for option in _options(words)}
    others = {"racing", "peers", "device"}
    named |= {(name, "--json" if name in others else "--json_path") for name in programs - {"costs"}}
    assert len(named) > 15
    assert [one for one in sorted(named) if one[0] in programs and one[1] not in options_of(one[0])] == []
    assert {name for name, _ in named} <= programs


def _options(text: str) -> list[str]:
    return re.findall(r"(?<![\w-])--[a-z][a-z_]*(?![\w-])", text)


def test_each_key_of_a_sweep_file_has_its_place_on_the_page_of_keys() -> None:
    page = keys_page()
    assert [key for key in explained_keys() if f"`{key}`" not in page and f" {key}\n" not in page] == []


@pytest.mark.parametrize("name", ["faq.md", "any-project.md", "grow.md"])
def test_the_messages_that_a_page_quotes_are_those_of_the_program(name: str) -> None:
    page = BLOCK.sub("", (DOCS / name).read_text(encoding="utf-8"))
    texts = literals()
    for message in re.findall(r"`([^`\n{<$=]+ …[^`\n]*|[^`\n{<$=]+;[^`\n]* …)`", page):
        pieces = [re.sub(r"'[^']*'", "…", piece) for piece in message.split("…") if piece.strip()]
        pattern = re.compile(
            ".*".join(re.escape(part) for piece in pieces for part in piece.split("…") if part.strip()), re.DOTALL
        )
        assert any(pattern.search(text) for text in texts), message


def test_an_entry_of_the_changelog_has_at_most_two_sentences() -> None:
    entries = re.findall(r"^- (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(entries) > 50
    bare = [re.sub(r"`[^`]*`|\([^()]*\)", "x", re.sub(r"\]\([^)]*\)", "]", entry)) for entry in entries]
    assert [entry for entry in bare if len(re.findall(r"[.!?](?= [A-Z`]|$)", entry)) > 2] == []
