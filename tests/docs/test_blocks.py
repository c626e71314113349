"""Every block of code of README and docs is run by a test, or the line before it says why not."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest
import yaml

from rothamsted.cli.arguments import each_alone, pairs
from rothamsted.cli.usage import USAGES
from rothamsted.promotion.judge.policy_file import load_policy
from rothamsted.spec.document import parse_document
from rothamsted.spec.json_schema import json_schema
from tests.conftest import ROOT
from tests.docs.test_generated import plain

# Page -> test that runs its blocks -> the words after the language by which it takes them.
RUN_BY: dict[str, dict[str, str]] = {
    "README.md": {"tests/docs/test_howto_pages.py": r"file=\S+|run=readme"},
    "CONTRIBUTING.md": {"tests/doors/recipes.py": r"head|function file=\S+|row=\w+|entry|package"},
    "docs/any-project.md": {"tests/test_any_command_page.py": r"run|file=\S+"},
    "docs/clusters.md": {"tests/test_clusters_page.py": r"run=ray|file=\S+"},
    "docs/coming-from.md": {"tests/docs/test_howto_pages.py": r"file=\S+|run=howto"},
    "docs/first-ten-minutes.md": {"tests/test_first_ten_minutes_page.py": r"run|open|file=\S+"},
    "docs/from-ray-tune.md": {"tests/test_from_ray_tune_page.py": r"run|file=\S+"},
    "docs/grow.md": {"tests/docs/test_howto_pages.py": r"run=howto"},
    "docs/new-study.md": {"tests/test_new_study_page.py": r"run|file=\S+"},
    "docs/paper.md": {"tests/docs/test_howto_pages.py": r"file=\S+|run=howto"},
    "docs/python.md": {"tests/test_python_page.py": r"run( torch)?"},
    "docs/read-report.md": {"tests/docs/test_howto_pages.py": r"run=howto"},
    "docs/wandb.md": {"tests/test_wandb_page.py": "sweep"},
    "docs/studies/batch_size.md": {"tests/test_batch_size_page.py": r"run"},
    "docs/studies/emnist_mlp.md": {"tests/projects/emnist_mlp/test_page.py": r"run|slow"},
    "docs/studies/global_workspace.md": {"tests/projects/global_workspace/test_page.py": r"run"},
    "docs/studies/image_classifier.md": {"tests/projects/image_classifier/test_page.py": r"run|slow|network|file=\S+"},
    "docs/studies/language_model.md": {"tests/projects/language_model/test_page.py": r"run|slow|file=\S+"},
}
HERE = r"keys|policy"  # taken by the tests below
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md")),
    ROOT / "registry" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
MADE = {"docs/commands.md"}  # its examples are those of `--help`: their words are checked below
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)$")
_WHY = re.compile(r"^ *<!-- not run: .{10,} -->$")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One block of code: where it begins, its language, the words behind it, its text, why it is not run."""

    page: str
    line: int
    language: str
    words: str
    text: str
    is_excused: bool


def blocks_of(path: Path) -> Iterator[Block]:
    """The blocks of a page, in their order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    page, begun = str(path.relative_to(ROOT)), None
    for n, line in enumerate(lines):
        found = _FENCE.match(line)
        if found is None:
            continue
        if begun is None:
            begun = (n, found["info"])
            continue
        start, info = begun
        language, _, words = info.strip().partition(" ")
        why = start > 0 and _WHY.match(lines[start - 1]) is not None
        text = "\n".join(lines[start + 1 : n])
        yield Block(page=page, line=start + 1, language=language, words=words, text=text, is_excused=why)
        begun = None
    assert begun is None, f"{page}: the block of line {begun} has no end"


BLOCKS = [block for path in PAGES for block in blocks_of(path)]


def is_run(block: Block) -> bool:
    """Whether a test runs the block, or one below takes it, or it is no code."""
    known = {**RUN_BY.get(block.page, {}), "here": HERE}
    return block.language == "text" or any(re.fullmatch(words, block.words) for words in known.values())


COMMANDS = [
    (block, line.partition(" #")[0].strip())
    for block in BLOCKS
    for line in block.text.replace("\\\n", " ").splitlines()
    if block.language == "bash" and not is_run(block) and re.match(r"\s*(rothamsted|mlflow run \.) ", line)
]


def test_every_block_is_run_by_a_test_or_says_why_not() -> None:
    assert len(BLOCKS) > 100
    silent = [f"{one.page}:{one.line}" for one in BLOCKS if not (is_run(one) or one.is_excused or one.page in MADE)]
    assert silent == []


@pytest.mark.parametrize(("page", "module"), [(page, module) for page, tests in RUN_BY.items() for module in tests])
def test_the_test_that_runs_a_page_reads_it(page: str, module: str) -> None:
    assert (ROOT / page).is_file()
    stem = Path(page).stem
    text = (ROOT / module).read_text(encoding="utf-8")
    assert stem in text or f"{stem}.md" in text
    assert [block for block in BLOCKS if block.page == page and re.fullmatch(RUN_BY[page][module], block.words)] != []


@pytest.mark.parametrize(
    "block", [one for one in BLOCKS if one.words == "keys"], ids=lambda one: f"{one.page}:{one.line}"
)
def test_a_piece_of_a_sweep_file_has_keys_and_values_that_its_schema_takes(block: Block) -> None:
    document = plain(parse_document(block.text, block.page).data)
    assert document
    assert [error.message for error in jsonschema.Draft202012Validator(json_schema()).iter_errors(document)] == []


def test_the_policy_of_the_page_is_one(tmp_path: Path) -> None:
    [block] = [one for one in BLOCKS if one.words == "policy"]
    path = tmp_path / "policy.yaml"
    path.write_text(block.text, encoding="utf-8")
    assert load_policy(path, tmp_path).model == "batch_size"


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=lambda one: one if isinstance(one, str) else "")
def test_a_command_that_is_not_run_has_the_name_and_the_keys_of_one_that_exists(block: Block, command: str) -> None:
    if command.startswith("rothamsted"):
        words = shlex.split(command.split(" || ")[0])[1:]
        name, words = words[0], words[1:]
    else:
        words = shlex.split(command)[3:]
        if "-b" in words:  # of another project
            return
        at = words.index("-e")
        name, words = words[at + 1], [word for word in words[at + 2 :] if "=" in word]
        assert name in yaml.safe_load((ROOT / "MLproject").read_text(encoding="utf-8"))["entry_points"]
    if name not in USAGES:
        assert not command.startswith("rothamsted"), f"{block.page}:{block.line}"
        return
    words = words[: words.index("--")] if "--" in words else words
    for line in each_alone(words, command=name):
        pairs(line, command=name)  # raises UserError: a key that the command does not take
