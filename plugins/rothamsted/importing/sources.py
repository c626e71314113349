"""The sources that there are: a row each. The first that knows an address reads it.

A source is a module with two functions:

    matches(address: str) -> bool
        whether the address (a path as it was given, or a URL) is one of its own; quick, and it imports nothing heavy
    read(address: str, options: Mapping[str, str]) -> Iterator[ImportedRun]
        its runs, one after the other; raises UserError (DataError, StoreError) with the way out

The options are those of the row that were given; others are refused before `read` is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """One source.

    Attributes:
        module: where `matches` and `read` stand; imported when it is asked.
        label: what it reads, as a message and the docs name it.
        looks_for: what makes an address one of its own; said where nothing is found.
        options: keys of the command line that it takes.
    """

    module: str
    label: str
    looks_for: str
    options: tuple[str, ...] = ()


SOURCES: Mapping[str, SourceRow] = {}
