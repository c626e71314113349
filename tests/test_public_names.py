"""Names in the engine: one class, one name; and no name that only its author understands."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import rothamsted

ENGINE = Path(rothamsted.__file__).parent

# Names that two public classes share. Remove a name here with its double; never add one.
DOUBLES = {
    "Curve",  # tracking/curve_reader, study/exports
    "Objective",  # spec/search_sections, analysis/values
    "Plan",  # spec/plan, statistics/power
    "Replicate",  # sweep/worker/trial, analysis/values
    "Running",  # sweep/coordinator/progress, foreign/process
    "Sampler",  # spec/search_sections, search/samplers
}

# Words that said nothing to a reader, in the singular.
OLD_WORDS = {"population_judge", "telling", "same", "mirror", "suit", "standing", "reign", "bout", "session", "duel"}

# Files, classes and functions that still have such a word. Remove a name here when it is gone; never add one.
STILL_OLD = {
    "analysis/": {"last_sessions"},
    "foreign/": {"_is_this_python"},
    "space/": {"same"},
    "study/": {"EventFile", "_Session", "_event_file"},
    "sweep/": {
        "Duel",
        "PopulationJudge",
        "EventFiles",
        "Session",
        "_check_unchanged",
        "_duel",
        "check_unchanged",
        "duel",
        "duel_record",
        "print_duel",
        "run_duel",
        "write_duel",
    },
}


def files() -> Iterator[tuple[Path, ast.Module]]:
    """Every file of the engine, relative to it, parsed."""
    for path in sorted(ENGINE.rglob("*.py")):
        yield path.relative_to(ENGINE), ast.parse(path.read_text(encoding="utf-8"))


def words(name: str) -> set[str]:
    """The words of a name in lower case, plurals without their s: `last_sessions` is last and session."""
    return {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_no_two_public_classes_have_one_name() -> None:
    counts = Counter(
        node.name
        for _, module in files()
        for node in module.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, n in counts.items() if n > 1} == DOUBLES


def test_no_file_class_or_function_has_a_word_that_explains_nothing() -> None:
    defined = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found: dict[str, set[str]] = {}
    for path, module in files():
        names = {node.name for node in ast.walk(module) if isinstance(node, defined)} | set(path.with_suffix("").parts)
        if old := {name for name in names if words(name) & OLD_WORDS}:
            found.setdefault(f"{path.parts[0]}/", set()).update(old)
    assert found == STILL_OLD
