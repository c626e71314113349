"""Names in the engine: one class, one name; and no name that only its author understands."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import rothamsted

ENGINE = Path(rothamsted.__file__).parent

# Words that said nothing to a reader, in the singular.
OLD_WORDS = {"jury", "telling", "same", "mirror", "suit", "standing", "reign", "bout", "sitting", "duel"}
# In Weights & Biases a mirror is a mirror: the copy of a sweep that follows it there.
ALLOWED = {"mirroring": {"mirror"}}


def files() -> Iterator[tuple[Path, ast.Module]]:
    """Every file of the engine, relative to it, parsed."""
    for path in sorted(ENGINE.rglob("*.py")):
        yield path.relative_to(ENGINE), ast.parse(path.read_text(encoding="utf-8"))


def words(name: str) -> set[str]:
    """The words of a name in lower case, plurals without their s: `last_sittings` is last and sitting."""
    return {word.lower().removesuffix("s") for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_no_two_public_classes_have_one_name() -> None:
    counts = Counter(
        node.name
        for _, module in files()
        for node in module.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, n in counts.items() if n > 1} == set()


def test_no_file_class_or_function_has_a_word_that_explains_nothing() -> None:
    defined = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found: dict[str, set[str]] = {}
    for path, module in files():
        names = {node.name for node in ast.walk(module) if isinstance(node, defined)} | set(path.with_suffix("").parts)
        old_words = OLD_WORDS - ALLOWED.get(path.parts[0], set())
        if old := {name for name in names if words(name) & old_words}:
            found.setdefault(f"{path.parts[0]}/", set()).update(old)
    assert found == {}
