"""The commands that help to begin: explain a key, write a first sweep file, complete words in a shell."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rothamsted.cli.arguments import pairs, take
from rothamsted.cli.screen import screen_of
from rothamsted.errors import UserError
from rothamsted.suggest import known_names


def explain(arguments: Sequence[str]) -> int:
    """Say what a key of the sweep file means; without a key, list all."""
    from rothamsted.spec import explain as keys

    found, screen = pairs(arguments, command="explain"), screen_of(arguments, command="explain")
    key = take(found, "key")
    if key is None:
        all_keys = keys.explained_keys()
        width = max(map(len, all_keys))
        screen.show(*(f"{one.key:{width}}  {one.meaning}" for one in all_keys.values()))
        screen.give({name: dataclasses.asdict(one) for name, one in all_keys.items()})
        return 0
    one = keys.explain(key)
    lines = [
        f"{one.key}: {one.meaning}",
        f"  type: {one.type}",
        f"  default: {one.default}",
        f"  example: {one.example}",
    ]
    screen.show(*lines)
    screen.give(dataclasses.asdict(one))
    return 0


def completion(arguments: Sequence[str]) -> int:
    """Print the script that completes words in a shell."""
    from rothamsted.cli.completion import SHELLS, script
    from rothamsted.spec.explain import explained_keys

    shell = take(pairs(arguments, command="completion"), "shell")
    if shell is None or shell not in SHELLS:
        what = "which shell? " if shell is None else f"no script for {shell}; "
        raise UserError(f"rothamsted completion: {what}{known_names(shell or '', SHELLS)}")
    print(script(shell, tuple(explained_keys())), end="")
    return 0
