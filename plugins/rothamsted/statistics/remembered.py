"""Results of slow pure functions, kept by the content of their arguments: a sweep that ends is analysed twice or more.

First from its search, then from its record, whose numbers are the same; so is what a confirmation does not change.
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
MOST_KEPT = 4  # results of each function: stages and contests of one process have their own


def remembered(function: Callable[P, T]) -> Callable[P, T]:
    """Give the result of before where the arguments are equal; they can be pickled, and nobody changes a result.

    Example:
        >>> from statistics import mean
        >>> remembered(mean)([1, 2])
        1.5
    """
    kept: OrderedDict[bytes, T] = OrderedDict()

    @wraps(function)
    def call(*given: P.args, **named: P.kwargs) -> T:
        key = hashlib.sha256(pickle.dumps((given, sorted(named.items())))).digest()
        if key in kept:
            kept.move_to_end(key)
            return kept[key]
        found = kept[key] = function(*given, **named)
        while len(kept) > MOST_KEPT:
            kept.popitem(last=False)
        return found

    return call
