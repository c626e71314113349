"""Ask a server for the checksum of a file before downloading it.

Hugging Face answers for a large file with its sha256 in `X-Linked-ETag`, on the answer that sends the reader on to
where the bytes lie; so that answer is read and not followed.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from email.message import Message
from typing import Any

from projects.files.download import NETWORK_ERRORS, no_answer
from projects.files.problem import DataProblem

TIMEOUT_SECONDS = 30.0
_HEADERS = ("X-Linked-ETag", "ETag")
_SHA256 = re.compile(r'(?:W/)?"?([0-9a-f]{64})"?')


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect as the answer that it is."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def stated_sha256(url: str) -> str:
    """Return the sha256 that the server states of a file, hexadecimal.

    Raises:
        DataProblem: the server cannot be reached, refuses, or states none.
    """
    way_out = "give train_sha256 and valid_sha256, or a source folder that holds the files"
    try:
        request = urllib.request.Request(url, method="HEAD")
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS) as response:
            headers: Message = response.headers
    except NETWORK_ERRORS as error:
        if not (isinstance(error, urllib.error.HTTPError) and 300 <= error.code < 400):
            raise no_answer(url, error, way_out=way_out) from error
        headers = error.headers
        error.close()
    for name in _HEADERS:
        if found := _SHA256.fullmatch(headers.get(name) or ""):
            return found[1]
    raise DataProblem(f"{url}: the server states no sha256 for this file; {way_out}")
