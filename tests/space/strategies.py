"""Random domains and spaces for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from rothamsted.space import Choice, Range, Space

LABELS = ("a", "b", "c", "d")


@st.composite
def ranges(draw: st.DrawFn, *, is_cut: bool = False, when: dict[str, Any] | None = None) -> Range:
    """Ranges of every kind; with `is_cut` only those that a grid can cut."""
    is_integer, is_log = draw(st.booleans()), draw(st.booleans())
    if is_integer:
        low = draw(st.integers(1 if is_log else -1000, 1000))
        width = draw(st.integers(1, 1000))
    else:
        low = draw(st.floats(1e-8, 1e3) if is_log else st.floats(-1e3, 1e3))
        width = draw(st.floats(1e-3, 1e3))
    high = low + width
    kind = draw(st.sampled_from(["points", "step"] if is_cut else ["points", "step", "none"]))
    keys: dict[str, Any] = {"log": is_log}
    if kind == "points":
        keys["points"] = draw(st.integers(2, 9))
    elif kind == "step" and not is_log:
        keys["step"] = draw(st.integers(1, int(width))) if is_integer else (high - low) / draw(st.floats(1, 9))
    elif is_cut:
        keys["points"] = 4
    return Range(low=low, high=high, is_integer=is_integer, when=when or {}, **keys)


@st.composite
def choices(draw: st.DrawFn, *, when: dict[str, Any] | None = None) -> Choice:
    """Choices of one to four labels."""
    return Choice(values=tuple(draw(st.permutations(LABELS))[: draw(st.integers(1, 4))]), when=when or {})


@st.composite
def spaces(draw: st.DrawFn, *, is_cut: bool = False) -> Space:
    """Spaces of up to five parameters; some depend on choices, which may themselves depend on others."""
    domains: dict[str, Any] = {}
    for n in range(draw(st.integers(1, 5))):
        parents = [name for name, domain in domains.items() if isinstance(domain, Choice)]
        when = {}
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            values = domains[parent].values
            when = {parent: tuple(values[: draw(st.integers(1, len(values)))])}
        kind = draw(st.sampled_from(["range", "choice"]))
        domains[f"p{n}"] = draw(ranges(is_cut=is_cut, when=when) if kind == "range" else choices(when=when))
    order = draw(st.permutations(list(domains)))  # children may stand before their parents
    return Space({name: domains[name] for name in order})
