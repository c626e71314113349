"""Import a script without its search: all it defines, but no study of Optuna that it makes and nothing made of one."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from rothamsted.errors import StudyError, raised
from rothamsted.yaml_text import read_text

_MAKES_STUDY = ("create_study", "load_study")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def definitions(path: Path) -> ModuleType:
    """Import a script that searches as soon as it is imported, and leave out the search.

    Statements at its top level that make a study of Optuna, or use one, are not run. All others are.

    Args:
        path: the script.

    Raises:
        StudyError: it cannot be read, is not Python, or raises.

    Example:
        >>> script = definitions(Path("train.py"))  # doctest: +SKIP
        >>> script.objective  # doctest: +SKIP
        <function objective at 0x7f…>
    """
    path = path.resolve()
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(path):
            return module
    try:
        tree = ast.parse(read_text(path, str(path), way_out="give a script with an Optuna objective"))
    except SyntaxError as error:
        raise StudyError(f"{path}:{error.lineno}: is not Python: {error.msg}; correct the script") from None
    search = {id(statement) for statement in search_statements(tree)}
    tree.body = [statement for statement in tree.body if id(statement) not in search]
    module = ModuleType(f"definitions_of_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        exec(compile(tree, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise StudyError(f"{path}: importing it raised {raised(error)}; correct the script") from error
    return module


def search_statements(tree: ast.Module) -> list[ast.stmt]:
    """Find the statements of a script's top level that make or use a study of Optuna and run when it is imported."""
    found: list[ast.stmt] = []
    names: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, _DEFINITIONS) or is_main_block(statement):
            continue
        used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        called = {node.attr for node in ast.walk(statement) if isinstance(node, ast.Attribute)}
        if used & names or (used | called) & set(_MAKES_STUDY):
            found.append(statement)
            names |= set(bound_names(statement))
    return found


def is_main_block(statement: ast.stmt) -> bool:
    """Say whether a statement is `if __name__ == "__main__":`."""
    return isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test)


def bound_names(statement: ast.stmt) -> Iterator[str]:
    """Give the names that a statement binds where it stands."""
    if isinstance(statement, _DEFINITIONS):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from ((one.asname or one.name).partition(".")[0] for one in statement.names)
    else:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
