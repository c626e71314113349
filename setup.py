"""The page of PyPI: README.md, whose pictures and links work there once the project has an address.

All else stands in pyproject.toml. PyPI shows no relative picture, so each is given the address that
`project.urls` names as Repository; without one (there is none yet) README.md is taken as it is.
"""

import re
import tomllib
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
_LINK = re.compile(r"(?P<mark>!?)(?P<words>\[[^\]]*\])\((?P<path>(?!https?://|#|mailto:)[^)\s]+)\)")


def page(text: str, repository: str | None) -> str:
    """Return README's text with its relative pictures and links below an address such as https://github.com/me/it."""
    if repository is None:
        return text
    base = repository.rstrip("/")
    return _LINK.sub(
        lambda m: f"{m['mark']}{m['words']}({base}/{'raw' if m['mark'] else 'blob'}/main/{m['path']})", text
    )


if __name__ == "__main__":
    urls = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {})
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    setup(long_description=page(readme, urls.get("Repository")), long_description_content_type="text/markdown")
