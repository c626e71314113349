"""Remember the results of slow pure functions by the content of their arguments.

An ending sweep is analysed several times with the same numbers: while its best conditions are confirmed, from its
search, and from its record.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def remembered(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Give the result of before where the arguments are equal; what cannot be pickled is computed each time.

    Args:
        most: results that are kept, the last ones; nobody changes them.

    Example:
        >>> from statistics import mean
        >>> remembered(most=4)(mean)([1, 3])
        2
    """

    def of(function: Callable[P, T]) -> Callable[P, T]:
        kept: OrderedDict[bytes, T] = OrderedDict()

        @wraps(function)
        def call(*given: P.args, **named: P.kwargs) -> T:
            try:
                key = hashlib.sha256(pickle.dumps((given, sorted(named.items())))).digest()
            except (pickle.PicklingError, TypeError, AttributeError):  # data of a plot of another package
                return function(*given, **named)
            if key not in kept:
                kept[key] = function(*given, **named)
            kept.move_to_end(key)
            while len(kept) > most:
                kept.popitem(last=False)
            return kept[key]

        return call

    return of
