"""Find the modules from outside a project that its script imports, in order, before it does anything else.

It only reads; no line of the project runs here. It follows the script as Python would run it, into the project's own
modules and back, and ends at the first statement that could change what an import does (a call, an assignment to an
attribute or an item such as `os.environ[...]`, an `if`). What is imported after that is left to each process, so that
importing ahead changes nothing.
"""

from __future__ import annotations

import ast
import importlib.util
import site
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

_HARMLESS_CALLS = frozenset({"logging.getLogger", "getLogger", "Path", "pathlib.Path"})


@dataclass(frozen=True, kw_only=True)
class Import:
    """Holds one import: `import module`, or `from module import names`; optional inside `try`."""

    module: str
    names: tuple[str, ...] = ()
    is_optional: bool = False


@dataclass
class _Walk:
    folder: Path
    found: list[Import] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)

    def file(self, path: Path, package: str) -> bool:
        """Follow one source file; false where the walk has to end."""
        if path in self.seen:
            return True
        self.seen.add(path)
        return self.statements(ast.parse(path.read_bytes(), str(path)).body, package, is_optional=False)

    def statements(self, body: Iterable[ast.stmt], package: str, *, is_optional: bool) -> bool:
        for statement in body:
            if isinstance(statement, ast.Import):
                wanted = [Import(module=alias.name, is_optional=is_optional) for alias in statement.names]
            elif isinstance(statement, ast.ImportFrom):
                module = "." * statement.level + (statement.module or "")
                module = importlib.util.resolve_name(module, package) if statement.level else module
                names = tuple(alias.name for alias in statement.names)
                wanted = [Import(module=module, names=names, is_optional=is_optional)]
            elif isinstance(statement, ast.Try):
                if not self.statements(statement.body, package, is_optional=True):
                    return False
                continue
            elif _is_harmless(statement):
                continue
            else:
                return False
            if not all(self.one(item) for item in wanted):
                return False
        return True

    def one(self, wanted: Import) -> bool:
        """Note an import from outside, or follow one of the project's own."""
        top = wanted.module.partition(".")[0]
        if top in sys.builtin_module_names or top == "__future__":
            return True
        spec = importlib.util.find_spec(top)
        if spec is None or not is_within(_places(spec), self.folder):
            self.found.append(wanted)
            return True
        return self.own(spec, wanted)

    def own(self, spec: ModuleSpec | None, wanted: Import) -> bool:
        """Follow a module of the project: its packages from the top, itself, the submodules that are named."""
        parts = wanted.module.split(".")
        for depth in range(1, len(parts) + 1):
            if depth > 1:
                spec = _below(spec, ".".join(parts[:depth]))
            if not self.source(spec):
                return False
        below = (_below(spec, f"{wanted.module}.{name}") for name in wanted.names)
        return all(self.source(submodule) for submodule in below if submodule is not None)

    def source(self, spec: ModuleSpec | None) -> bool:
        """Follow the source of one module; a namespace package has none."""
        if spec is None:
            return False  # the script will fail by itself, as it does in a fresh process
        if spec.origin is None:
            return True
        package = spec.name if spec.submodule_search_locations is not None else spec.name.rpartition(".")[0]
        return spec.origin.endswith(".py") and self.file(Path(spec.origin), package)


def imports_of_file(path: Path, folder: Path) -> list[Import]:
    """List what `python path` imports from outside the project's folder; `sys.path` is as the script will see it.

    Raises:
        SyntaxError, OSError: the script, or a module of the project that it imports, cannot be read.
    """
    walk = _Walk(folder)
    walk.file(path, "")
    return walk.found


def imports_of_module(module: str, folder: Path) -> list[Import]:
    """List what `python -m module` imports from outside the project's folder.

    Raises:
        SyntaxError, OSError: a module of the project cannot be read.
        ModuleNotFoundError: the module is not one of the project's own.
    """
    top = importlib.util.find_spec(module.partition(".")[0])
    if top is None or not is_within(_places(top), folder):
        raise ModuleNotFoundError(f"{module} is not a module of the project")
    walk = _Walk(folder)
    spec = _spec_of(top, module)
    is_package = spec is not None and spec.submodule_search_locations is not None
    walk.own(top, Import(module=f"{module}.__main__" if is_package else module))
    return walk.found


def is_within(places: Iterable[str], folder: Path) -> bool:
    """Say whether one of the places lies in the project's folder, installed packages in it excepted."""
    installed = [Path(place).resolve() for place in [*site.getsitepackages(), site.getusersitepackages()]]
    for place in places:
        path = Path(place).resolve()
        if path.is_relative_to(folder) and not any(path.is_relative_to(where) for where in installed):
            return True
    return False


def _spec_of(top: ModuleSpec, module: str) -> ModuleSpec | None:
    spec: ModuleSpec | None = top
    parts = module.split(".")
    for depth in range(2, len(parts) + 1):
        spec = _below(spec, ".".join(parts[:depth]))
    return spec


def _below(spec: ModuleSpec | None, name: str) -> ModuleSpec | None:
    """The spec of a submodule, without importing its parents."""
    if spec is None or spec.submodule_search_locations is None:
        return None
    return PathFinder.find_spec(name, list(spec.submodule_search_locations))


def _places(spec: ModuleSpec) -> list[str]:
    places = list(spec.submodule_search_locations or ())
    return places + ([spec.origin] if spec.has_location and spec.origin else [])


def _is_harmless(statement: ast.stmt) -> bool:
    """A definition, a docstring, or names bound to values that no call makes."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Pass)):
        return True
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    else:
        return _is_type_checking(statement)
    value = statement.value
    names_only = all(isinstance(target, ast.Name) for target in targets)
    return names_only and (value is None or all(_is_harmless_call(node) for node in ast.walk(value)))


def _is_harmless_call(node: ast.AST) -> bool:
    return not isinstance(node, ast.Call) or ast.unparse(node.func) in _HARMLESS_CALLS


def _is_type_checking(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    return ast.unparse(statement.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
