"""Make the page docs/commands.md from the table of commands. A test compares the two.

Make it again with `python -m rothamsted.cli.commands_page > docs/commands.md`.
"""

from __future__ import annotations

from rothamsted.cli.usage import COMMON, USAGES, Usage

_HEAD = """# Commands

Made from the table that `--help` shows: `python -m rothamsted.cli.commands_page > docs/commands.md`.

```text
rothamsted COMMAND [WORD ...] [KEY=VALUE ...]
```

Words with `=` set keys; `--key value` and `--key=value` mean the same, and so does
`mlflow run . -e COMMAND -P key=value`. Other words are positional: files, names of sweeps or ids of their runs.

| for every command | |
|---|---|
{common}

| exit status | |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | a mistake in the command: one line on standard error says what to write |
| 3 | not yet: the time is over, the sweep is not finished, the winner is not promoted |
| 4 | `reproduce`: equal within the tolerance, not in every bit |
| 130, 143 | stopped by Ctrl-C or by a signal |

Of several sweeps the worst status is returned. With `NO_COLOR` set, or if the output is not a terminal, nothing is
coloured.

The keys of a sweep file: `rothamsted explain`, or [sweep-file.md](sweep-file.md). Words are completed after
`source <(rothamsted completion bash)`, or `zsh`, or `rothamsted completion fish | source`.
"""


def page() -> str:
    """Write the whole page."""
    common = "\n".join(f"| {', '.join(f'`{word}`' for word in words)} | {what} |" for words, what in COMMON.values())
    parts = [_HEAD.format(common=common), *(_section(name, usage) for name, usage in USAGES.items())]
    return "\n".join(parts)


def _section(name: str, usage: Usage) -> str:
    words = "".join(f" {word.upper()}" for word in usage.words) + (" ..." if usage.several else "")
    lines = [f"## {name}", "", usage.does, "", "```bash", f"rothamsted {name} {usage.example}", "```", ""]
    lines += [f"`rothamsted {name}{words} [KEY=VALUE ...]`", ""]
    if usage.keys:
        lines += ["| key | |", "|---|---|"]
        lines += [f"| `{usage.written(key)}` | {meaning} |" for key, meaning in usage.keys.items()]
        lines.append("")
    return "\n".join([*lines, f"Also: {usage.others}.\n"] if usage.others else lines)


if __name__ == "__main__":
    print(page(), end="")
