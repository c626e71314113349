"""Make evenly spaced numbers as a person writes them: the third step of 0.1 is 0.3, not 0.30000000000000004.

They are computed in decimals, and rounded if a digit is far below the step.
"""

from __future__ import annotations

from decimal import Context, Decimal

DIGITS_BELOW = 12  # of a step that are kept: a step of 0.333333333333 three times is 1
_CONTEXT = Context(prec=400)  # enough for any two floats of which one is the step of the other's range


def on_step(low: float, step: float, index: int) -> float:
    """Return the number `index` steps above `low`."""
    return low if index == 0 else _written(Decimal(repr(low)), Decimal(repr(step)), index)


def between(low: float, high: float, n: int) -> list[float]:
    """Return `n` evenly spaced numbers, both ends among them."""
    first, step = Decimal(repr(low)), _step(low, high, n)
    return [low, *(_written(first, step, index) for index in range(1, n - 1)), high]


def point(low: float, high: float, n: int, index: int) -> float:
    """Return the number at one index of `between`, without the others."""
    if index in (0, n - 1):
        return high if index else low
    return _written(Decimal(repr(low)), _step(low, high, n), index)


def _step(low: float, high: float, n: int) -> Decimal:
    return _CONTEXT.divide(_CONTEXT.subtract(Decimal(repr(high)), Decimal(repr(low))), Decimal(n - 1))


def _written(low: Decimal, step: Decimal, index: int) -> float:
    exact = _CONTEXT.add(low, _CONTEXT.multiply(step, Decimal(index)))
    unit = Decimal(1).scaleb(step.adjusted() - DIGITS_BELOW + 1)
    return float(exact.quantize(unit, context=_CONTEXT)) + 0.0  # no -0.0
