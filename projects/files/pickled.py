"""Read pickles of plain data without unpickling: no name is looked up, and only functions of a table are called.

A pickle is a program for a small stack machine (`pickletools`). This machine has the operations that writers of arrays
use. It uses memory for the bytes of a file, never for sizes that a file only states.
"""

from __future__ import annotations

import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

MOST_OPERATIONS = 500_000  # of one pickle: a batch of CIFAR-10 has 40,000; some microseconds each
_VALUES = {
    *("INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_STRINGS = {"STRING", "BINSTRING", "SHORT_BINSTRING"}  # text of Python 2, which is bytes
_MADE: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_PUTS, _GETS = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_IGNORED = {"PROTO", "FRAME"}


@dataclass(frozen=True)
class Named:
    """Describes what a pickle names and may call: a row of the table of `read_pickle`."""

    name: str
    call: Callable[..., Any] | None  # None: it may be named, and not called


@dataclass
class Filled:
    """Holds an object that a pickle makes first and gives its state later.

    Attributes:
        kind: which function of the table made it.
        made_of: its arguments.
        state: what the pickle gave it.
    """

    kind: str
    made_of: Any = None
    state: Any = None


@dataclass
class _Machine:
    known: Mapping[str, Callable[..., Any] | None]
    persistent: Callable[[Any], Any] | None
    stack: list[Any] = field(default_factory=list)
    marks: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def do(self, name: str, argument: Any) -> None:
        """One operation.

        Raises:
            ValueError, IndexError, KeyError: it is not one of plain data, or is applied to something else.
        """
        stack = self.stack
        if name in _VALUES:
            stack.append(argument)
        elif name in _STRINGS:
            stack.append(argument.encode("latin-1"))
        elif name in _MADE:
            stack.append(_MADE[name]())
        elif name in _PUTS:
            self.memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = stack[-1]
        elif name in _GETS:
            stack.append(self.memo[argument])
        elif name in _TUPLES:
            n = _TUPLES[name]
            stack[-n:] = [tuple(self._last(n))]
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            whole = argument if name == "GLOBAL" else " ".join(map(str, self._taken(2)))
            stack.append(self._named(whole.replace(" ", ".", 1)))
        elif name not in _IGNORED:
            self._collect(name)

    def _collect(self, name: str) -> None:
        """Operations on what stands on the stack."""
        if name == "MARK":
            self.marks.append(self.stack)
            self.stack = []
        elif name in ("TUPLE", "LIST", "DICT"):
            items = self._since_mark()
            made = {"TUPLE": tuple, "LIST": list, "DICT": lambda found: _set({}, found)}[name]
            self.stack.append(made(items))
        elif name in ("APPEND", "APPENDS"):
            items = self._taken(1) if name == "APPEND" else self._since_mark()
            if not isinstance(self.stack[-1], list):
                raise ValueError("it appends to something that is not a list")
            self.stack[-1].extend(items)
        elif name in ("SETITEM", "SETITEMS"):
            _set_in = self._taken(2) if name == "SETITEM" else self._since_mark()
            _set(self.stack[-1], _set_in)
        elif name == "REDUCE":
            function, arguments = self._taken(2)
            if not isinstance(function, Named) or function.call is None or not isinstance(arguments, tuple):
                raise ValueError("it calls something that is not a function")
            self.stack.append(function.call(*arguments))
        elif name == "BUILD":
            [state] = self._taken(1)
            if isinstance(self.stack[-1], Filled):
                self.stack[-1].state = state
            elif not isinstance(self.stack[-1], OrderedDict):  # its attributes are no data
                raise ValueError("it gives a state to something that has none")
        elif name == "BINPERSID" and self.persistent is not None:
            self.stack.append(self.persistent(*self._taken(1)))
        else:
            raise ValueError(f"it does {name}, which plain data do not need")

    def _named(self, name: str) -> Named:
        if name not in self.known:
            raise ValueError(f"it asks for {name}, which plain data do not need")
        return Named(name, self.known[name])

    def _last(self, n: int) -> list[Any]:
        if len(self.stack) < n:
            raise ValueError("it takes more values than there are")
        return self.stack[-n:]

    def _taken(self, n: int) -> list[Any]:
        taken = self._last(n)
        del self.stack[-n:]
        return taken

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items


def read_pickle(
    stream: IO[bytes],
    known: Mapping[str, Callable[..., Any] | None],
    *,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Read the data of one pickle; the stream then stands behind it.

    Args:
        stream: bytes in memory, or a stream that gives no more than it has, because sizes are taken from the file.
        known: `module.name` -> the function used for it here; None: it may only be an argument.
        persistent: function of an id that gives an object that the pickle keeps elsewhere.

    Returns:
        Numbers, text, bytes, tuples, lists, dictionaries by text, bytes or whole numbers, and what `known` gave. Lists
        and dictionaries may hold themselves.

    Raises:
        Exception: of any kind: the pickle is damaged, or asks for something unknown.

    Example:
        >>> import io, pickle
        >>> read_pickle(io.BytesIO(pickle.dumps({"a": [1, b"x"]}, protocol=2)), {})
        Traceback (most recent call last):
        ValueError: it asks for _codecs.encode, which plain data do not need
        >>> read_pickle(io.BytesIO(pickle.dumps({"a": [1, 2.5]}, protocol=2)), {})
        {'a': [1, 2.5]}
    """
    machine = _Machine(known, persistent)
    for n_done, (operation, argument, _) in enumerate(pickletools.genops(stream)):
        if n_done == MOST_OPERATIONS:
            raise ValueError(f"it has more than {MOST_OPERATIONS} operations")
        if operation.name == "STOP":
            break
        machine.do(operation.name, argument)
    if len(machine.stack) != 1 or machine.marks:
        raise ValueError("it ends before its value is whole")
    return machine.stack[0]


def _set(target: Any, pairs: list[Any]) -> Any:
    """Keys and values, in turn, into a dictionary; a key is one whose hash takes no time."""
    if not isinstance(target, dict) or len(pairs) % 2:
        raise ValueError("it sets items of something that is not a dictionary")
    for key, value in zip(pairs[::2], pairs[1::2], strict=True):
        if not isinstance(key, (str, bytes, int)):
            raise ValueError("a key of its dictionaries is neither text nor a whole number")
        target[key] = value
    return target
