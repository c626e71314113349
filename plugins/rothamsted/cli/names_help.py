"""The help of a command: how it is written, what its keys mean, and the names that a key can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rothamsted.catalog import CORRECTIONS, EXECUTORS, INTERVALS, PLOTS, PRUNERS, SAMPLERS, TESTS
from rothamsted.cli.usage import USAGES
from rothamsted.registries import NameOf

Rows = Sequence[tuple[str, NameOf]]  # a key, and what it takes

_OF_A_FILE: Rows = (
    ("sampler.name", NameOf(SAMPLERS)),
    ("pruner.name", NameOf(PRUNERS)),
    ("execution.executor", NameOf(EXECUTORS)),
    ("statistics.interval", NameOf(INTERVALS)),
    ("statistics.correction", NameOf(CORRECTIONS)),
    ("statistics.test", NameOf(TESTS, also=("auto",))),
)
_OF_AN_ANALYSIS: Rows = (
    ("interval", NameOf(INTERVALS)),
    ("correction", NameOf(CORRECTIONS)),
    ("test", NameOf(TESTS, also=("auto",))),
)
_PLOTS: Rows = (("plots", NameOf(PLOTS, also=("all",))),)

NAMES: Mapping[str, tuple[str, Rows]] = {
    "sweep": ("Keys of the sweep file", _OF_A_FILE),
    "check": ("Keys of the sweep file", _OF_A_FILE),
    "analyze": ("Keys", (*_OF_AN_ANALYSIS, *_PLOTS)),
    "report": ("Keys", (*_PLOTS, *_OF_AN_ANALYSIS)),
    "compare": ("Keys", _OF_AN_ANALYSIS),
    "promote": ("Keys of the policy file", ()),
}


def help_text(command: str) -> str:
    """How a command is written, its keys and its names; a package of others that cannot be imported is named, too.

    Args:
        command: One of USAGES.
    """
    usage = USAGES[command]
    words = " ".join(key.upper() for key in usage.words) + (" ..." if usage.takes_many else "")
    width = max(map(len, usage.keys))
    lines = [f"usage: rothamsted {command} {words} [KEY=VALUE ...]", "", usage.does, ""]
    lines += [f"  {key:{width}}  {meaning}" for key, meaning in usage.keys.items()]
    if usage.others:
        lines += ["", f"Also: {usage.others}."]
    if command in NAMES:
        keys, rows = NAMES[command]
        rows = rows or _of_a_policy()
        width = max(len(key) for key, _ in rows)
        lines += ["", f"{keys} that take a name:"]
        lines += [f"  {key:{width}}  {taken.kind}: {', '.join(taken.names())}" for key, taken in rows]
    word = usage.words[-1]
    long = f"{word}=a,b for the words a b" if usage.takes_many else f"{word}=NAME for the word NAME"
    lines += [f"{long}, and --KEY VALUE for KEY=VALUE, mean the same."]
    return "\n".join(lines)


def overview() -> str:
    """All commands, a line each."""
    width = max(map(len, USAGES))
    lines = [f"  {name:{width}}  {usage.does}" for name, usage in USAGES.items()]
    return "\n".join(
        [
            "usage: rothamsted COMMAND [WORD ...] [KEY=VALUE ...]",
            "",
            *lines,
            f"  {'STUDY':{width}}  Run a study of MLproject by hand: STUDY [--field value ...]",
            "",
            "COMMAND --help says what a command takes. KEY=VALUE may be written --KEY VALUE.",
        ]
    )


def _of_a_policy() -> Rows:
    from rothamsted.promotion.judge.policy import CORRECTION_NAMES, RULE_NAMES, TEST_NAMES  # only where asked for

    return (("kind", RULE_NAMES), ("test", TEST_NAMES), ("correction", CORRECTION_NAMES))
