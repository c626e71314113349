"""Write the help of a command: its usage, what its keys mean, and the names that a key can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rothamsted.catalog import CORRECTIONS, EXECUTORS, INTERVALS, PLOTS, PRUNERS, SAMPLERS, TESTS
from rothamsted.cli.usage import COMMON, USAGES, Usage
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
    """Say how a command is written, its keys and its names; a package of others that cannot be imported is named, too.

    Args:
        command: One of USAGES.
    """
    usage = USAGES[command]
    words = " ".join(key.upper() for key in usage.words) + (" ..." if usage.several else "")
    width = max(map(len, map(usage.written, usage.keys)))
    last = " [-- COMMAND]" if usage.takes_command else ""
    lines = [f"usage: rothamsted {command} {words} [KEY=VALUE ...]{last}".replace("  ", " "), "", usage.does, ""]
    lines += [f"  {usage.written(key):{width}}  {meaning}" for key, meaning in usage.keys.items()]
    if usage.others:
        lines += ["", f"Also: {usage.others}."]
    if command in NAMES:
        keys, rows = NAMES[command]
        rows = rows or _of_a_policy()
        width = max(len(key) for key, _ in rows)
        lines += ["", f"{keys} that take a name:"]
        lines += [f"  {key:{width}}  {taken.kind}: {', '.join(taken.names())}" for key, taken in rows]
    lines += ["", *_how_written(usage), *_common_lines()]
    lines += ["", f"example: rothamsted {command} {usage.example}"]
    return "\n".join(lines)


def _how_written(usage: Usage) -> list[str]:
    """How keys may be written."""
    if not usage.words:
        return ["--KEY VALUE and --KEY=VALUE mean the same as KEY=VALUE."]
    word = usage.words[-1]
    long = f"{word}=a,b for the words a b" if usage.several == "together" else f"{word}=NAME for the word NAME"
    return [f"{long}, and --KEY VALUE or --KEY=VALUE for KEY=VALUE, mean the same."]


def _common_lines() -> list[str]:
    """What every command takes."""
    return [f"  {', '.join(words):13}  {meaning}" for words, meaning in COMMON.values()]


def overview() -> str:
    """List all commands, a line each."""
    width = max(map(len, USAGES))
    lines = [f"  {name:{width}}  {usage.does}" for name, usage in USAGES.items()]
    return "\n".join(
        [
            "usage: rothamsted COMMAND [WORD ...] [KEY=VALUE ...]",
            "",
            *lines,
            f"  {'STUDY':{width}}  Train a study of MLproject by hand, as train STUDY does.",
            "",
            "COMMAND --help says what a command takes. KEY=VALUE may be written --KEY VALUE or --KEY=VALUE.",
            "Exit status: 0 done, 1 failed, 2 a mistake in the command, 3 not yet (time over, unfinished, not",
            "promoted), 130 and 143 stopped by a signal.",
        ]
    )


def _of_a_policy() -> Rows:
    from rothamsted.promotion.judge.policy import CORRECTION_NAMES, RULE_NAMES, TEST_NAMES  # only where asked for

    return (("kind", RULE_NAMES), ("test", TEST_NAMES), ("correction", CORRECTION_NAMES))
