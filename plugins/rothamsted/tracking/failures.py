"""One line out of an error of MLflow, SQLAlchemy or a database driver.

Apart, because those errors come as paragraphs with statements, parameters and links; a user gets one line.
"""

from __future__ import annotations

import re

_LONGEST = 300
_PASSWORD = re.compile(r"(://[^:/@\s]+):[^@\s]+@")


def one_line(error: BaseException) -> str:
    """Return what went wrong, in one line, without SQL, links or passwords."""
    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    text = lines[0] if lines else type(cause).__name__
    text = text.split("[SQL:")[0].split("(Background on this error")[0].strip()
    return without_password(text)[:_LONGEST]


def without_password(uri: str) -> str:
    """Return a URI, or a text with URIs in it, with passwords starred out."""
    return _PASSWORD.sub(r"\1:***@", uri)
