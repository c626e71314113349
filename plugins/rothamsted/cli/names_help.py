"""The help of a command: its usage, and for each key that takes a name, the names that can be given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rothamsted.catalog import CORRECTIONS, EXECUTORS, INTERVALS, PLOTS, PRUNERS, SAMPLERS, TESTS
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

HELP: Mapping[str, tuple[str, str, Rows]] = {
    "sweep": ("sweep --config FILE [--key value ...]", "Keys of the sweep file", _OF_A_FILE),
    "check": ("check FILE [--key value ...]", "Keys of the sweep file", _OF_A_FILE),
    "analyze": ("analyze --sweep NAME [--key value ...]", "Keys", (*_OF_AN_ANALYSIS, *_PLOTS)),
    "report": ("report --sweep NAME [--key value ...]", "Keys", (*_PLOTS, *_OF_AN_ANALYSIS)),
    "compare": ("compare --runs a,b,c [--key value ...]", "Keys", _OF_AN_ANALYSIS),
    "promote": ("promote --sweep NAME [--policy FILE] [--dry_run true]", "Keys of the policy file", ()),
}


def help_text(command: str) -> str:
    """Usage and names; a package of others that cannot be imported is named, too.

    Args:
        command: One of HELP.
    """
    usage, keys, rows = HELP[command]
    rows = rows or _of_a_policy()
    width = max(len(key) for key, _ in rows)
    lines = [f"  {key:{width}}  {taken.kind}: {', '.join(taken.names())}" for key, taken in rows]
    return "\n".join([f"usage: rothamsted {usage}", "", f"{keys} that take a name:", *lines])


def _of_a_policy() -> Rows:
    from rothamsted.promotion.judge.policy import CORRECTION_NAMES, RULE_NAMES, TEST_NAMES  # only where asked for

    return (("kind", RULE_NAMES), ("test", TEST_NAMES), ("correction", CORRECTION_NAMES))
