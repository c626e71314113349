"""Remove passwords and tokens from addresses, and from any text with addresses, before it is written or printed.

What is masked: user and password of a web address (`https://TOKEN@host`: a token may be either), the password of any
other address (`postgresql://user:***@host`), and values such as `?password=` and `&token=`.
"""

from __future__ import annotations

import re

MASK = "***"  # stands for what is left out
_SLASHES = r"(?P<slashes>://|:%2F%2F|%3A//|%3A%2F%2F)"
_AT = r"(?P<at>@|%40)"
# The part before the last @ of an authority, which ends at / ? or #; a password may hold them after user: where that
# is no port.
_OF_WEB = re.compile(
    rf"(?P<scheme>\b(?:[\w.-]{{1,20}}\+)?https?){_SLASHES}"
    rf"(?P<secret>[^\s/?#]{{1,1000}}|[^\s/?#@:\[]{{0,200}}:(?!\d+[/?#]|[{{$<])[^\s@]{{1,1000}}){_AT}",
    re.IGNORECASE,
)
_OF_OTHERS = re.compile(
    rf"(?P<start>\b(?!(?:[\w.-]{{1,20}}\+)?https?[:%])[a-z][\w.+-]{{0,40}}{_SLASHES}[^\s:/?#@%]{{0,200}}(?::|%3A))"
    rf"(?:(?P<secret>[^\s/?#]{{1,1000}})|(?P<odd>[^\s@]{{1,1000}})){_AT}",
    re.IGNORECASE,
)
_PORT = re.compile(r"\d+(?:,|(?:/[^?]*)?\?)")  # host:5432/database?user=a@b
_PORT_AND_PATH = re.compile(r"\d+/")
_BY_PATH = re.compile(r"(?:ssh|git|s?ftp|file|s3|gs)[:%]", re.IGNORECASE)  # schemes whose paths may hold an @
_NAMES = (
    r"[\w.-]{0,40}"
    r"(?:password|passwd|passphrase|pwd|token|secret|api_?key|access_?key|credentials?|signature|sig)"
)
_OF_QUERY = re.compile(rf"(?P<name>(?:[?&;#]|%3F|%26){_NAMES}(?:=|%3D))(?P<secret>[^\s&;#'\"]+)", re.IGNORECASE)
_MASKED_OPTION = re.compile(rf"[?&;#]{_NAMES}={re.escape(MASK)}(?P<end>[&;]?)", re.IGNORECASE)
_OF_WORDS = re.compile(
    r"(?P<name>(?:^|\s)(?:ssl|pg)?(?:password|passwd|pwd)=)(?P<secret>'[^']*'|[^\s'\"]+)", re.IGNORECASE
)


def masked(text: str) -> str:
    """Return the text with each password and token starred out; the same if it has none. Masked again, it stays.

    Example:
        >>> masked("postgresql://me:p@ss@host/db"), masked("https://TOKEN@host/x.git")
        ('postgresql://me:***@host/db', 'https://***@host/x.git')
    """
    if not any(sign in text for sign in "@=%"):
        return text
    text = _OF_WEB.sub(rf"\g<scheme>\g<slashes>{MASK}\g<at>", text)
    text = _OF_OTHERS.sub(_without_password, text)
    for pattern in (_OF_QUERY, _OF_WORDS):
        text = pattern.sub(rf"\g<name>{MASK}", text)
    return text


def is_secret(text: str) -> bool:
    """Say whether a text holds a password or token."""
    return masked(text) != text


def without_secrets(address: str) -> str:
    """Return an address as it works for who has credentials of their own: what is masked in it is left out.

    Example:
        >>> without_secrets("https://TOKEN@host/x.git"), without_secrets("postgresql://me:pw@host/db?password=pw&n=1")
        ('https://host/x.git', 'postgresql://me@host/db?n=1')
    """
    text = masked(address).replace(f"://{MASK}@", "://").replace(f":{MASK}@", "@")
    return _MASKED_OPTION.sub(lambda found: "?" if found[0][0] == "?" and found["end"] else found["end"], text)


def hidden(address: str) -> str:
    """Hide an address that cannot be parsed, for a message: nothing before its last @, and nothing of its query.

    Example:
        >>> hidden("postgresql:me:my word@host/db?n=1"), hidden("nothing")
        ('postgresql:***@host/db', 'nothing')
    """
    before, at, after = address.rpartition("@")
    if not at:
        return masked(address)
    scheme = re.match(r"[\w.+-]*:/*", before)
    host = re.split(r"[?\s]", after)[0]
    return f"{scheme[0] if scheme else ''}{MASK}@{host}"


def _without_password(found: re.Match[str]) -> str:
    odd = found["odd"]
    if odd is not None and (_PORT.match(odd) or (_PORT_AND_PATH.match(odd) and _BY_PATH.match(found["start"]))):
        return found[0]
    return f"{found['start']}{MASK}{found['at']}"
