"""The docstrings of public names: a sentence with a verb, every argument, an example, and examples that are true."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import rothamsted
from rothamsted import rows
from rothamsted.calls.estimate import ConditionEstimate
from rothamsted.studies import contract

ROOT = Path(__file__).parents[2]
PLUGINS = Path(rothamsted.__file__).parents[1]

# What a function or class does: the first word of its docstring. A new verb gets a place here; a noun does not.
VERBS = {
    "Analyse",
    "Compare",
    "Describes",
    "Draw",
    "Give",
    "Holds",
    "Judge",
    "Keeps",
    "Let",
    "List",
    "Load",
    "Log",
    "Make",
    "Print",
    "Report",
    "Run",
    "Say",
    "Says",
    "Search",
    "States",
    "Write",
}
# Names that people use in code of their own: those of the package, of the study contract, and of the rows that other
# packages add.
PUBLIC: dict[str, Any] = {
    **{name: getattr(rothamsted, name) for name in rothamsted.__all__},
    **{name: getattr(contract, name) for name in ("FunctionLike", "MeasurementLike", "Study")},
    **{name: one for name, one in vars(rows).items() if inspect.isclass(one) and one.__module__ == rows.__name__},
    "ConditionEstimate": ConditionEstimate,
}


def members_of(name: str) -> Iterator[tuple[str, Any]]:
    """Each public method and property of a class, by its dotted name, as an object with a docstring."""
    kinds = (property, cached_property, classmethod, staticmethod)
    for member, value in vars(PUBLIC[name]).items() if inspect.isclass(PUBLIC[name]) else ():
        if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, kinds)):
            yield f"{name}.{member}", getattr(value, "__func__", value)


DOCUMENTED = {**PUBLIC, **dict(member for name in PUBLIC for member in members_of(name))}
FUNCTIONS = [name for name, one in DOCUMENTED.items() if inspect.isfunction(one)]


def words_of(name: str) -> str:
    """The docstring of a public name."""
    return inspect.getdoc(DOCUMENTED[name]) or ""


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_docstring_of_a_public_name_begins_with_a_sentence_that_begins_with_a_verb(name: str) -> None:
    first = words_of(name).split("\n\n")[0]
    assert first.endswith("."), first
    assert re.split(r"\W", first)[0] in VERBS, first


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_docstring_of_a_public_function_explains_each_of_its_arguments(name: str) -> None:
    code = inspect.unwrap(DOCUMENTED[name]).__code__  # a signature may show the keys of a sweep file one by one
    n_named = code.co_argcount + code.co_kwonlyargcount
    arguments = [one for one in code.co_varnames[:n_named] if one not in ("self", "cls")]
    missing = [one for one in arguments if not re.search(rf"\b{one}(, \w+)*:|`{one}`", words_of(name))]
    assert missing == []


OF_THE_PACKAGE = [name for name in DOCUMENTED if name.partition(".")[0] in (*rothamsted.__all__, "ConditionEstimate")]


@pytest.mark.parametrize("name", OF_THE_PACKAGE)
def test_a_public_name_and_each_of_its_members_have_an_example(name: str) -> None:
    assert "Example:" in words_of(name)
    assert ">>> " in words_of(name)


# A docstring that begins so names a thing and says not what is done with it: "The mean", "Whether it ran".
WITHOUT_VERB = re.compile(r"(A|All|An|As|Both|Each|Every|How|Of|One|The|What|Where|Whether|Which|Who|Why)\b")


def with_docstrings(node: ast.AST, dotted: str = "") -> Iterator[tuple[str, str]]:
    """The public functions, methods and classes below a node, each with its docstring."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)) and not child.name.startswith("_"):
            yield f"{dotted}{child.name}", ast.get_docstring(child) or ""
            if isinstance(child, ast.ClassDef):
                yield from with_docstrings(child, f"{dotted}{child.name}.")


@pytest.mark.parametrize(
    "folder", [PLUGINS / "rothamsted", ROOT / "projects", ROOT / "benchmarks"], ids=lambda p: p.name
)
def test_no_docstring_begins_as_the_name_of_a_thing(folder: Path) -> None:
    found = []
    for path in sorted(folder.rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        words = [("", ast.get_docstring(module) or ""), *with_docstrings(module)]
        found += [f"{path.relative_to(folder)}: {name}: {text}" for name, text in words if WITHOUT_VERB.match(text)]
    assert found == []


def with_examples() -> list[str]:
    """The modules with an example in some docstring."""
    found = []
    for root, folder in ((PLUGINS, "rothamsted"), (ROOT, "projects"), (ROOT, "benchmarks")):
        for path in sorted((root / folder).rglob("*.py")):
            if re.search(r"^\s*>>> ", path.read_text(encoding="utf-8"), re.MULTILINE):
                found.append(".".join(path.relative_to(root).with_suffix("").parts))
    return found


@pytest.mark.parametrize("module", with_examples())
def test_the_examples_of_a_module_are_true(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    names = {name: getattr(rothamsted, name) for name in rothamsted.__all__}
    more = {"extraglobs": {"rothamsted": rothamsted, **names}, "optionflags": doctest.ELLIPSIS}
    found = doctest.testmod(import_module(module), **more)
    assert found.failed == 0, capsys.readouterr().out
