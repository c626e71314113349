"""Read the command after two dashes as a key: `rothamsted sweep … -- python train.py {parameters}`."""

from __future__ import annotations

from collections.abc import Sequence

COMMAND = "command"
_TAKE_ONE = ("sweep", "check")


def with_command(arguments: Sequence[str]) -> list[str]:
    """Return command-line words with the command that follows `--` as one word of its own, `--command=…`.

    Only of what takes one: elsewhere the words stay as they are.
    """
    words = list(arguments)
    if "--" not in words or words[0] not in _TAKE_ONE:
        return words
    from rothamsted.spec.command import joined_words

    at = words.index("--")
    return [*words[:at], f"--{COMMAND}={joined_words(words[at + 1 :])}"]
