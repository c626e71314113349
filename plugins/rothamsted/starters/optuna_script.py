"""Read a Python script that uses Optuna: its objective with all the domains it suggests, and its study.

The script is read, not run. Values that are not plain numbers or names in the source are listed with their lines.
"""

from __future__ import annotations

import ast
import builtins
import copy
import math
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rothamsted.errors import SpecError
from rothamsted.starters.definitions import bound_names, is_main_block, search_statements
from rothamsted.starters.starter import NAME_RULE, SAMPLERS, is_name
from rothamsted.yaml_text import read_text

WAY_OUT = "give a script with an Optuna objective"
_KINDS = {
    "suggest_float": float,
    "suggest_uniform": float,
    "suggest_loguniform": float,
    "suggest_discrete_uniform": float,
    "suggest_int": int,
    "suggest_categorical": None,
}
_PRUNED = "trial.report and trial.should_prune do nothing here: a pruner needs a function that yields its metric"
_BRANCHES = (ast.If, ast.For, ast.While, ast.Try, ast.Match)


@dataclass(kw_only=True)
class OptunaScript:
    """Holds what is found in a script.

    Attributes:
        space: parameter -> domain, as a sweep file writes it.
        left: what could not be translated, a line each.
        objective: the expression whose value is called with a trial, such as `objective` or `Objective(data)`.
        needs: the names of the script's top level that the expression uses.
        searches: whether importing the script begins its search.
        directions: of the study's objectives; empty: the script says none.
        sampler: as a sweep file calls it; empty: none is translated.
        trials: how many; None: the script does not say.
        seconds: after which it stops.
        workers: how many trials run at a time.
    """

    space: dict[str, Any] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    objective: str = ""
    needs: list[str] = field(default_factory=list)
    searches: bool = False
    directions: list[str] = field(default_factory=list)
    sampler: str = ""
    trials: int | None = None
    seconds: float | None = None
    workers: int | None = None


def read_script(path: str) -> OptunaScript:
    """Read a script.

    Raises:
        SpecError: no such file, no Python, or no suggest_* call in it.
    """
    text = read_text(path, path, way_out="give the file to translate")
    try:
        with warnings.catch_warnings(action="ignore"):  # Python's of this script, which is not run here
            return _Reader(ast.parse(text), path).read()
    except SyntaxError as error:
        raise SpecError(f"{path}:{error.lineno}: is not Python: {error.msg}; {WAY_OUT}") from None
    except (ValueError, RecursionError, MemoryError):  # a NUL, or what is nested too deep for Python's parser
        raise SpecError(f"{path}: cannot be read as Python; {WAY_OUT}") from None


class _Reader:
    """One script on its way."""

    def __init__(self, tree: ast.Module, path: str) -> None:
        self._tree, self._path, self._found = tree, path, OptunaScript()
        self._functions: dict[str, ast.FunctionDef] = {}
        self._methods: dict[str, dict[str, ast.FunctionDef]] = {}  # class -> its methods
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                self._methods[node.name] = {one.name: one for one in node.body if isinstance(one, ast.FunctionDef)}
        of_classes = {id(one) for methods in self._methods.values() for one in methods.values()}
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and id(node) not in of_classes:
                self._functions.setdefault(node.name, node)
        self._top = {name for statement in tree.body if not is_main_block(statement) for name in bound_names(statement)}
        self._values = {  # a name -> what is assigned to it, of the top level and below `if __name__`
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        self._constants = _constants(tree)
        self._reached: set[int] = set()

    def read(self) -> OptunaScript:
        """All of it."""
        found = self._found
        optimize = self._calls_of("optimize")
        given = _argument(optimize[0], 0, "func") if optimize else None
        expression = given if given is not None and self._suggests(given) else self._guess()
        if expression is None:
            raise SpecError(
                f"{self._path}: no call such as trial.suggest_float in it; give the script that has the objective"
            )
        found.objective = ast.unparse(expression)
        for call, _, is_always in self._trial_calls(expression):
            self._read_call(call, is_always=is_always)
        self._name_the_others()
        self._read_needs(expression)
        found.searches = bool(search_statements(self._tree))
        for call in self._calls_of("create_study")[:1]:
            self._read_create(call)
        for call in optimize[:1]:
            self._read_optimize(call)
        for call in optimize[1:]:
            found.left.append(
                f"{self._path}:{call.lineno}: optimize is called again; only the first call is translated"
            )
        return found

    def _calls_of(self, name: str) -> list[ast.Call]:
        """The calls of a function or method of this name, in the order of their lines."""
        calls = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call) and _called(node) == name]
        if name == "optimize":  # scipy.optimize(...) is none, nor is a call of a module
            calls = [call for call in calls if isinstance(call.func, ast.Attribute) and (call.args or call.keywords)]
        return sorted(calls, key=lambda call: (call.lineno, call.col_offset))

    def _suggests(self, expression: ast.expr) -> bool:
        return any(_called(call) in _KINDS for call, _, _ in self._trial_calls(expression))

    def _guess(self) -> ast.expr | None:
        """The objective of a script that does not call optimize with it: `objective`, else what no other one calls."""
        names = [*self._functions, *(name for name, methods in self._methods.items() if "__call__" in methods)]
        candidates = {name: _expression(name, is_class=name in self._methods) for name in names}
        candidates = {name: one for name, one in candidates.items() if self._suggests(one)}
        if not candidates:
            return None
        called = {name for one, node in candidates.items() for name in self._reached_from(node) if name != one}
        chosen = [name for name in candidates if name not in called] or list(candidates)
        return candidates["objective" if "objective" in chosen else chosen[0]]

    def _reached_from(self, expression: ast.expr) -> set[str]:
        return {owner for _, owner, _ in self._trial_calls(expression)}

    def _trial_calls(self, expression: ast.expr) -> Iterator[tuple[ast.Call, str, bool]]:
        """(call, function, whether each trial makes it) of the objective and of the script's functions it calls."""
        followed: set[tuple[int, bool]] = set()
        for node in ast.walk(expression):
            if isinstance(node, ast.Lambda):
                for call in _in_order(node.body):
                    yield from self._followed(call, "lambda", "", followed, is_always=True)
                return
        yield from self._of_names(expression, set(), followed)

    def _of_names(
        self, expression: ast.expr, seen: set[str], followed: set[tuple[int, bool]]
    ) -> Iterator[tuple[ast.Call, str, bool]]:
        for name in [node.id for node in ast.walk(expression) if isinstance(node, ast.Name)]:
            if name in seen:
                continue
            seen.add(name)
            if name in self._functions:
                yield from self._of_function(self._functions[name], name, "", followed, is_always=True)
            elif "__call__" in self._methods.get(name, {}):
                method = self._methods[name]["__call__"]
                yield from self._of_function(method, name, name, followed, is_always=True)
            elif name in self._values:
                value = self._values[name]
                if isinstance(value, ast.Lambda):
                    yield from self._trial_calls(value)
                else:
                    yield from self._of_names(value, seen, followed)

    def _of_function(
        self, function: ast.FunctionDef, name: str, owner: str, followed: set[tuple[int, bool]], *, is_always: bool
    ) -> Iterator[tuple[ast.Call, str, bool]]:
        if not followed.isdisjoint({(id(function), is_always), (id(function), True)}):
            return  # a function that many call, or that calls itself, is read once
        followed.add((id(function), is_always))
        self._reached.add(id(function))
        for call, always in _calls(function.body, is_always=is_always):
            yield from self._followed(call, name, owner, followed, is_always=always)

    def _followed(
        self, call: ast.Call, name: str, owner: str, followed: set[tuple[int, bool]], *, is_always: bool
    ) -> Iterator[tuple[ast.Call, str, bool]]:
        """A call, or the calls of the script's own function that it calls."""
        called = _called(call)
        if isinstance(call.func, ast.Name) and called in self._functions:
            yield from self._of_function(self._functions[called], called, "", followed, is_always=is_always)
        elif isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self":
            method = self._methods.get(owner, {}).get(called)
            if method is not None:
                yield from self._of_function(method, called, owner, followed, is_always=is_always)
        else:
            yield call, name, is_always

    def _read_call(self, call: ast.Call, *, is_always: bool) -> None:
        method, place = _called(call), f"{self._path}:{call.lineno}"
        if not isinstance(call.func, ast.Attribute):
            return
        if method in _KINDS:
            self._read_suggestion(call, method, place, is_always=is_always)
        elif method == "should_prune" or (method == "report" and len(call.args) + len(call.keywords) > 1):
            self._leave(f"{place}: {_PRUNED}")

    def _read_suggestion(self, call: ast.Call, method: str, place: str, *, is_always: bool) -> None:
        space = self._found.space
        try:
            values = [self._literal(argument) for argument in call.args]
            named = {one.arg: self._literal(one.value) for one in call.keywords if one.arg}
            domain = _domain(method, values[1:], {key: value for key, value in named.items() if key != "name"})
            name = values[0] if values else named["name"]
        except (ValueError, KeyError, IndexError, TypeError, OverflowError):
            what = ast.unparse(call)
            self._leave(f"{place}: {what} has no plain numbers or names; give the parameter a domain in space")
            return
        if isinstance(name, str) and not is_name(name):
            self._leave(f"{place}: {NAME_RULE}")
            return
        if not isinstance(name, str) or space.get(name, domain) != domain:
            self._leave(f"{place}: {name!r} is suggested again with another domain; the first is kept")
            return
        space[name] = domain
        if not is_always:
            self._leave(f"{place}: {name} is suggested only sometimes; here it always is: give its domain a when")

    def _literal(self, node: ast.expr) -> Any:
        """The value of plain numbers and names, and of constants of the script's top level."""
        return ast.literal_eval(_Replaced(self._constants).visit(copy.deepcopy(node)))

    def _leave(self, line: str) -> None:
        if line not in self._found.left:
            self._found.left.append(line)

    def _name_the_others(self) -> None:
        """Name the suggestions of functions that the objective does not call."""
        functions = [
            *self._functions.values(),
            *(one for methods in self._methods.values() for one in methods.values()),
        ]
        for function in sorted(functions, key=lambda one: one.lineno):
            if id(function) in self._reached:
                continue
            for call, _ in _calls(function.body, is_always=True):
                if _called(call) in _KINDS and isinstance(call.func, ast.Attribute):
                    what = f"{_called(call)} in {function.name}; only {self._found.objective} is translated"
                    self._leave(f"{self._path}:{call.lineno}: {what}")

    def _read_needs(self, expression: ast.expr) -> None:
        """What of the script the expression uses, and what it uses that importing the script does not make."""
        inner = {
            argument.arg
            for node in ast.walk(expression)
            if isinstance(node, ast.Lambda)
            for argument in [*node.args.args, *node.args.kwonlyargs]
        }
        names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)} - inner - set(dir(builtins))
        searched = {name for statement in search_statements(self._tree) for name in bound_names(statement)}
        self._found.needs = sorted(names & (self._top - searched))
        for name in sorted(names - (self._top - searched)):
            self._leave(
                f"{self._path}:{expression.lineno}: importing the script does not make {name}; define it at the top "
                "level of the script, outside of functions, of if __name__ and of the search"
            )

    def _read_create(self, call: ast.Call) -> None:
        found, place = self._found, f"{self._path}:{call.lineno}"
        for key, value in {one.arg: one.value for one in call.keywords if one.arg}.items():
            text = ast.unparse(value)
            if key in ("direction", "directions"):
                words = [one for one in ("minimize", "maximize") if one in text.lower()]
                constants = [node.value for node in ast.walk(value) if isinstance(node, ast.Constant)]
                found.directions = [str(one) for one in constants or words]
            elif key == "sampler":
                found.sampler = next(
                    (ours for theirs, ours in SAMPLERS.items() if f"{theirs}(" in self._text(value)), ""
                )
                if not found.sampler:
                    found.left.append(f"{place}: sampler {text} has no counterpart; sampler tpe is used instead")
            elif key == "pruner":
                found.left.append(f"{place}: pruner {text}: {_PRUNED}")
            elif key not in ("study_name", "storage", "load_if_exists"):
                found.left.append(f"{place}: create_study({key}=…) has no counterpart")

    def _text(self, value: ast.expr) -> str:
        """An expression as text; of a name what is assigned to it."""
        return ast.unparse(self._values.get(value.id, value) if isinstance(value, ast.Name) else value)

    def _read_optimize(self, call: ast.Call) -> None:
        found = self._found
        named: Mapping[str, ast.expr] = {one.arg: one.value for one in call.keywords if one.arg}
        trials = call.args[1] if len(call.args) > 1 else named.get("n_trials")
        found.trials, found.workers = self._whole(trials), self._whole(named.get("n_jobs"))
        found.seconds = self._number(named.get("timeout"))
        for key in named:
            if key not in ("n_trials", "n_jobs", "timeout", "func"):
                found.left.append(f"{self._path}:{call.lineno}: optimize({key}=…) has no counterpart")

    def _whole(self, node: ast.expr | None) -> int | None:
        value = self._number(node)
        if value is None or isinstance(value, int):
            return value
        return int(value) if math.isfinite(value) and value == int(value) else None

    def _number(self, node: ast.expr | None) -> float | None:
        try:
            value = None if node is None else self._literal(node)
        except (ValueError, TypeError):
            return None
        return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class _Replaced(ast.NodeTransformer):
    """Puts values in the place of names."""

    def __init__(self, known: Mapping[str, ast.expr]) -> None:
        self._known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Return the value of a name that is known."""
        return self._known.get(node.id, node)


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """The names of the top level that are assigned once, and a plain value."""
    found: dict[str, ast.expr] = {}
    stores = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target = statement.targets[0]
            if isinstance(target, ast.Name) and stores.count(target.id) == 1:
                try:
                    ast.literal_eval(statement.value)
                except (ValueError, TypeError):
                    continue
                found[target.id] = statement.value
    return found


def _expression(name: str, *, is_class: bool) -> ast.expr:
    return ast.parse(f"{name}()" if is_class else name, mode="eval").body


def _called(call: ast.Call) -> str:
    """The last part of what is called: optimize of study.optimize(…)."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    named = {one.arg: one.value for one in call.keywords}
    return call.args[position] if len(call.args) > position else named.get(name)


def _domain(method: str, values: list[Any], named: dict[str, Any]) -> Any:
    """A domain of ours from the arguments of a suggest_* call after the name."""
    if method == "suggest_categorical":
        return list(values[0] if values else named["choices"])
    keys = ("low", "high", "q") if method == "suggest_discrete_uniform" else ("low", "high", "step", "log")
    given = {**dict(zip(keys, values)), **named}
    kind: Any = _KINDS[method]
    domain: dict[str, Any] = {"low": kind(given["low"]), "high": kind(given["high"])}
    if given.get("log") or method == "suggest_loguniform":
        domain["log"] = True
    step = given.get("q", given.get("step"))
    if step is not None and not (kind is int and step == 1):
        domain["step"] = kind(step)
    return domain


def _calls(body: list[ast.stmt], *, is_always: bool) -> Iterator[tuple[ast.Call, bool]]:
    """The calls in a function, in order, and whether each is made in every trial."""
    for statement in body:
        always = is_always and not isinstance(statement, _BRANCHES)
        yield from ((call, always) for call in _in_order(statement))


def _in_order(node: ast.AST) -> list[ast.Call]:
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
    return sorted(calls, key=lambda call: (call.lineno, call.col_offset))
