"""Read and compute arithmetic on metrics, written as text: composite scores and constraints.

An expression is read once into steps of a whitelist (numbers, names, arithmetic, a few functions) and never run as
code. All arithmetic is on floats, so that no text can make it slow: `9**9**9` is infinite at once.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Mapping

from rothamsted.caps import DEEPEST_EXPRESSION, MOST_OF_EXPRESSION
from rothamsted.errors import UserError

_BRACED = re.compile(r"\{([^{}]*)\}")
_BINARY: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: math.pow,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[float], float]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "abs": abs,
    "sqrt": math.sqrt,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "exp": math.exp,
}
_SEVERAL: Mapping[str, Callable[[list[float]], float]] = {"min": min, "max": max}
_COMPARISONS: Mapping[type[ast.cmpop], float] = {ast.Lt: 1.0, ast.LtE: 1.0, ast.Gt: -1.0, ast.GtE: -1.0}
_KNOWN = "numbers, metrics, + - * / ** %, parentheses and " + ", ".join(sorted({*_FUNCTIONS, *_SEVERAL}))

_Step = Callable[[Mapping[str, float]], float]


class ExpressionError(UserError):
    """Says that a text is not arithmetic on metrics."""


class Expression:
    """Holds a number made of metrics: `val_acc - max(0, train_acc - val_acc - 3)`.

    A metric whose name is no Python name stands in braces: `{train/acc} - 3`.

    Attributes:
        text: as written.
        names: the metrics that it needs.
    """

    def __init__(self, text: str) -> None:
        tree, reader = _parse(text)
        self.text = text
        self._step = reader.step(tree, 0)
        self.names = frozenset(reader.names)

    def evaluate(self, values: Mapping[str, float]) -> float:
        """Compute the number; nan outside the domain of an operation (division by zero), an infinity on overflow.

        Args:
            values: a value for each of `names`, others are passed over.
        """
        return self._step(values)


class Constraint:
    """Holds a bound on what is measured: two expressions, and one of < <= > >= between them.

    Attributes:
        text: as written.
        names: the metrics that it needs.
    """

    def __init__(self, text: str) -> None:
        tree, reader = _parse(text)
        if not isinstance(tree, ast.Compare):
            raise reader.error(tree, "is not a comparison; write one, as in seconds < 60")
        if len(tree.ops) != 1 or type(tree.ops[0]) not in _COMPARISONS:
            raise reader.error(tree, "must be one comparison with < <= > or >=; give several constraints one by one")
        self.text = text
        self._sign = _COMPARISONS[type(tree.ops[0])]
        self._left, self._right = reader.step(tree.left, 0), reader.step(tree.comparators[0], 0)
        self.names = frozenset(reader.names)
        if not self.names:
            raise reader.error(tree, "names no metric; compare one, as in seconds < 60")

    def violation(self, values: Mapping[str, float]) -> float:
        """Say how far it is from holding: at most zero if it holds, nan if a side has no number.

        That is left - right for < and <=, and right - left for > and >=, as Optuna's samplers want it.
        """
        left, right = self._left(values), self._right(values)
        if left == right:  # two equal infinities too
            return 0.0
        return self._sign * (left - right)


def _parse(text: str) -> tuple[ast.expr, _Reader]:
    if len(text) > MOST_OF_EXPRESSION:
        reason = f"expression of {len(text)} characters: at most {MOST_OF_EXPRESSION} are allowed; shorten it"
        raise ExpressionError(reason)
    _check_depth(text)
    braced: dict[str, str] = {}  # stand-in, as long as what it stands for: places in errors stay those of the text
    source = _BRACED.sub(lambda found: _stand_in(found, braced, text), text).replace("\n", " ")
    try:
        with warnings.catch_warnings(action="ignore"):  # `3if`, which Python takes and warns of
            tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "cannot be read"
        column = error.offset if isinstance(error, SyntaxError) else None
        at = "" if column is None else f" at character {column + len(source) - len(source.lstrip())}"
        raise ExpressionError(f"{text!r}{at}: is not arithmetic ({reason}); write {_KNOWN}") from None
    return tree, _Reader(text, braced, offset=len(source) - len(source.lstrip()))


def _check_depth(text: str) -> None:
    """Python's parser answers brackets within brackets with MemoryError."""
    depth = 0
    for n, sign in enumerate(text, start=1):
        depth += (sign in "([{") - (sign in ")]}")
        if depth > DEEPEST_EXPRESSION:
            reason = f"is nested deeper than {DEEPEST_EXPRESSION} operations; shorten it"
            raise ExpressionError(f"{text!r} at character {n}: {reason}")


def _stand_in(found: re.Match[str], braced: dict[str, str], text: str) -> str:
    name = found[1].strip()
    if not name:
        raise ExpressionError(f"{text!r} at character {found.start() + 1}: braces hold no name; write {{train/acc}}")
    letter = f"_{len(braced)}_"
    stand_in = letter.ljust(len(found[0]), "_")
    while re.search(rf"(?<!\w){stand_in}(?!\w)", text):
        stand_in += "_"
    braced[stand_in] = name
    return stand_in


class _Reader:
    """One walk over the parsed text: each node becomes a function of the metrics; `names` fills up."""

    def __init__(self, text: str, braced: Mapping[str, str], *, offset: int) -> None:
        self.text = text
        self.braced = braced
        self.offset = offset
        self.names: set[str] = set()

    def error(self, node: ast.expr, reason: str) -> ExpressionError:
        """One line with the text and the place."""
        return ExpressionError(f"{self.text!r} at character {node.col_offset + self.offset + 1}: {reason}")

    def step(self, node: ast.expr, depth: int) -> _Step:
        """A node as a function."""
        if depth > DEEPEST_EXPRESSION:
            raise self.error(node, f"is nested deeper than {DEEPEST_EXPRESSION} operations; shorten it")
        if isinstance(node, ast.Constant):
            return self._constant(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
            return _guarded(_UNARY[type(node.op)], self.step(node.operand, depth + 1))
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            sides = self.step(node.left, depth + 1), self.step(node.right, depth + 1)
            return _guarded(_BINARY[type(node.op)], *sides)
        if isinstance(node, ast.Call):
            return self._call(node, depth)
        raise self.error(node, f"is not arithmetic; write {_KNOWN}")

    def _constant(self, node: ast.Constant) -> _Step:
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            raise self.error(node, f"{node.value!r} is not a number; write {_KNOWN}")
        try:
            number = float(node.value)
        except OverflowError:
            number = math.inf
        return lambda _values: number

    def _name(self, node: ast.Name) -> _Step:
        name = self.braced.get(node.id, node.id)
        self.names.add(name)
        return lambda values: float(values[name])

    def _call(self, node: ast.Call, depth: int) -> _Step:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.error(node, "takes plain arguments only; write for example max(0, val_loss)")
        if name in _FUNCTIONS:
            if len(node.args) != 1:
                raise self.error(node, f"{name} takes one number, not {len(node.args)}")
            return _guarded(_FUNCTIONS[name], self.step(node.args[0], depth + 1))
        if name in _SEVERAL:
            if len(node.args) < 2:
                raise self.error(node, f"{name} takes two numbers or more, not {len(node.args)}")
            return _chosen(_SEVERAL[name], [self.step(argument, depth + 1) for argument in node.args])
        shown = name or "this"
        raise self.error(node, f"{shown} is not a known function; known: {', '.join(sorted({*_FUNCTIONS, *_SEVERAL}))}")


def _guarded(operation: Callable[..., float], *sides: _Step) -> _Step:
    def evaluate(values: Mapping[str, float]) -> float:
        numbers = [side(values) for side in sides]
        try:
            return operation(*numbers)
        except (ZeroDivisionError, ValueError):
            return math.nan
        except OverflowError:
            return -math.inf if operation is math.pow and _is_negative_power(*numbers) else math.inf

    return evaluate


def _is_negative_power(base: float, exponent: float) -> bool:
    return base < 0 and exponent % 2 == 1


def _chosen(choose: Callable[[list[float]], float], arguments: list[_Step]) -> _Step:
    """min and max; a nan among the numbers is the answer, wherever it stands."""

    def evaluate(values: Mapping[str, float]) -> float:
        numbers = [argument(values) for argument in arguments]
        return math.nan if any(math.isnan(number) for number in numbers) else choose(numbers)

    return evaluate
