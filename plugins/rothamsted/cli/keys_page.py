"""Make the page docs/keys.md from the schema of a sweep file. A test compares the two.

Make it again with `python -m rothamsted.cli.keys_page > docs/keys.md`.
"""

from __future__ import annotations

from rothamsted.reporting.sentences import capital
from rothamsted.spec.explain import Explained, explained_keys

_HEAD = """# Keys of a sweep file

Made from the schema of a sweep file: `python -m rothamsted.cli.keys_page > docs/keys.md`. `rothamsted explain KEY`
prints the same. [The sweep file](sweep-file.md) says how the keys work together.

Editors complete and check a sweep file that has this line among its comments, with the path of
[sweep.schema.json](sweep.schema.json):

<!-- not run: a comment of a file -->
```yaml
# yaml-language-server: $schema=sweep.schema.json
```

`python -m rothamsted.spec.json_schema > sweep.schema.json` writes the schema of the installed version. A dotted key
is written nested or dotted on the command line: `confirm.keep=2`.
"""


def page() -> str:
    """Write the whole page."""
    parts, section = [_HEAD], ""
    for key, one in explained_keys().items():
        if key.partition(".")[0] != section:
            section = key.partition(".")[0]
            parts.append(f"## {section}\n")
        parts.append(_entry(one))
    return "\n".join(parts)


def _entry(one: Explained) -> str:
    lines = [f"### {one.key}", ""] if "." in one.key else []
    lines += [capital(one.meaning), "", f"- **type**: {one.type}", f"- **default**: {one.default}"]
    return "\n".join([*lines, f"- **example**: `{one.example}`", ""])


if __name__ == "__main__":
    print(page(), end="")
