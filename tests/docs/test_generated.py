"""Pages and files that are made from the program are what it makes, and the lists written by hand are whole."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from rothamsted import tags
from rothamsted.cli import glossary_page, keys_page
from rothamsted.spec import FILE_KEYS
from rothamsted.spec.document import read_document
from rothamsted.spec.examples import EXAMPLES
from rothamsted.spec.explain import explained_keys
from rothamsted.spec.exponents import Exponent
from rothamsted.spec.json_schema import json_schema
from rothamsted.spec.overrides import ALONE
from tests.conftest import ROOT

DOCS = ROOT / "docs"
SCHEMA = json_schema()
SWEEPS = sorted((ROOT / "sweeps").rglob("*.yaml"))
LINE = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)


def plain(value: Any) -> Any:
    """A document as an editor reads it: 1e-3 is a number there."""
    if isinstance(value, Mapping):
        return {key: plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [plain(below) for below in value]
    return float(value) if isinstance(value, Exponent) else value


def refused(document: Mapping[str, Any]) -> list[str]:
    """Where the schema refuses a document."""
    found = jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)
    return [error.json_path for error in found]


@pytest.mark.parametrize(
    ("name", "made", "command"),
    [
        ("keys.md", keys_page.page(), "python -m rothamsted.cli.keys_page > docs/keys.md"),
        ("glossary.md", glossary_page.page(), "python -m rothamsted.cli.glossary_page > docs/glossary.md"),
        (
            "sweep.schema.json",
            json.dumps(SCHEMA, indent=1, ensure_ascii=False) + "\n",
            "python -m rothamsted.spec.json_schema > docs/sweep.schema.json",
        ),
    ],
    ids=lambda value: value if value.endswith((".md", ".json")) and " " not in value else "",
)
def test_a_page_that_is_made_is_what_the_program_makes(name: str, made: str, command: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == made, f"make it again: {command}"


def test_the_schema_is_one_and_has_every_key_of_a_sweep_file() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == {key.partition(".")[0] for key in explained_keys()}
    text = json.dumps(SCHEMA)
    assert [key for key in explained_keys() if f'"{key.rpartition(".")[2]}"' not in text and "options" not in key] == []


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_a_shipped_sweep_is_taken_by_the_schema_that_it_names(path: Path) -> None:
    [named] = LINE.findall(path.read_text(encoding="utf-8"))
    assert (path.parent / named).resolve() == DOCS / "sweep.schema.json"
    assert refused(plain(read_document(path).data)) == []


@pytest.mark.parametrize("key", EXAMPLES)
def test_the_schema_takes_the_example_of_each_key(key: str) -> None:
    assert refused(yaml.safe_load(EXAMPLES[key])) == []


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("trails: 5", "$"),
        ("trials: 0", "$.trials"),
        ("trials: many", "$.trials"),
        ("sampler: tpee", "$.sampler"),
        ("sampler: {name: tpe, sede: 1}", "$.sampler"),
        ("objective: {metric: loss, direction: down}", "$.objective"),
        ("objective: {metrik: loss}", "$.objective"),
        ("space: {lr: {low: 0.1}}", "$.space.lr"),
        ("replicates: {racing: {min: 1}}", "$.replicates"),
        ("timeout: soon", "$.timeout"),
        ("execution: {worker: 2}", "$.execution"),
        ("execution: {workers: 0}", "$.execution.workers"),
        ("statistics: {level: 95}", "$.statistics.level"),
        ("pruner: {name: median, warmup: 5}", "$.pruner"),
        ("stages: [{keeep: 2}]", "$.stages[0]"),
        ("models: some", "$.models"),
        ("name: a b", "$.name"),
    ],
)
def test_the_schema_refuses_what_check_refuses_at_its_place(written: str, place: str, tmp_path: Path) -> None:
    from rothamsted.cli.main import main

    assert [one for one in refused(yaml.safe_load(written)) if one.startswith(place)] != []
    base = {"name": "x", "study": "batch_size", "space": {"width": [8, 16]}}
    base["objective"] = {"metric": "val_loss", "direction": "minimize"}
    path = tmp_path / "x.yaml"
    path.write_text(yaml.safe_dump(base | yaml.safe_load(written)))
    assert main(["check", str(path), "--no-time", "--quiet"]) == 2


def test_the_page_of_the_sweep_file_names_every_key() -> None:
    text = (DOCS / "sweep-file.md").read_text(encoding="utf-8")
    ticked = " ".join(re.findall(r"`[^`\n]+`", text))
    lacking = []
    for key in explained_keys():
        last = key.rpartition(".")[2]
        if last not in {"run_id", "values", "open_against", "options"} and not re.search(rf"\b{last}\b", ticked):
            lacking.append(key)
    assert lacking == []
    assert {key for key in (*FILE_KEYS, *ALONE) if f"`{key}" not in text} == set()


def test_the_page_of_tags_has_every_tag_that_the_program_writes() -> None:
    text = (DOCS / "metrics-and-tags.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(rothamsted\.[a-z_]+|mlflow\.source\.git\.commit)[`.]", text))
    own = {value for name, value in vars(tags).items() if name.isupper() and isinstance(value, str)}
    assert {tag for tag in own if tag.startswith(("rothamsted.", "mlflow."))} <= named
    written: set[str] = set()
    for path in (ROOT / "plugins").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and re.fullmatch(r"rothamsted\.[a-z_]+\.?", str(node.value)):
                written.add(str(node.value).rstrip("."))
    modules = {f"rothamsted.{path.stem}" for path in (ROOT / "plugins" / "rothamsted").iterdir()}
    no_tags = {"rothamsted.is_prepared", "rothamsted.n_"}  # a note in memory; the beginning of n_finished
    assert written - named - modules - no_tags == set()
