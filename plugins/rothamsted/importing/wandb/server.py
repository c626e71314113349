"""Ask a W&B server: GraphQL over HTTP with the user's key, again while it is busy. Each fault is one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError

from rothamsted import wandb_access
from rothamsted.caps import MOST_OF_ANSWER
from rothamsted.errors import StoreError
from rothamsted.importing.wandb.taken import parsed

TRIES = 6  # of a server that is busy or broken: half a minute of waits, unless it names one
BUSY = (429, 500, 502, 503, 504)
TIMEOUT_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 120  # that a server may ask for


@dataclass(frozen=True, kw_only=True)
class WandbServer:
    """Asks one server.

    Attributes:
        url: without a slash at its end.
        pool: pool of its connections, with the key.
        place: the beginning of messages.
    """

    url: str
    pool: urllib3.PoolManager
    place: str

    @classmethod
    def of_environment(cls, place: str) -> WandbServer:
        """Return the server of WANDB_BASE_URL with the key of WANDB_API_KEY or of netrc.

        Raises:
            StoreError: there is no key.
        """
        key = wandb_access.needed_key(place)
        retries = _Retry(
            total=TRIES,
            redirect=0,
            status_forcelist=BUSY,
            allowed_methods={"POST"},
            backoff_factor=0.5,
            raise_on_status=False,
        )
        headers = urllib3.make_headers(basic_auth=f"api:{key}", accept_encoding=True, user_agent="rothamsted")
        pool = urllib3.PoolManager(headers=headers, retries=retries, timeout=TIMEOUT_SECONDS)
        return cls(url=wandb_access.base_url(), pool=pool, place=place)

    def ask(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a query, and return the data of the answer.

        Args:
            query: a GraphQL query.
            variables: variables of the query; a mapping among them is sent as JSON text.

        Raises:
            StoreError: the server refuses, cannot be reached, or answers something else.
        """
        given = {key: json.dumps(one) if isinstance(one, Mapping) else one for key, one in variables.items()}
        try:
            with self.pool.request(
                "POST",
                f"{self.url}/graphql",
                body=json.dumps({"query": query, "variables": given}).encode(),
                headers={**self.pool.headers, "Content-Type": "application/json"},
                preload_content=False,
            ) as answer:
                status, content = answer.status, answer.read(MOST_OF_ANSWER + 1, decode_content=True)
        except (HTTPError, OSError) as error:
            cause = error.reason if isinstance(error, MaxRetryError) else error
            raise StoreError(
                f"{self.place}: {self.url} cannot be reached ({_short(cause)}); ask again when there is a network, or "
                "import the folder wandb of the runs"
            ) from error
        if len(content) > MOST_OF_ANSWER:
            raise StoreError(
                f"{self.place}: {self.url} sends more than {MOST_OF_ANSWER} bytes at once; ask for a group"
            )
        found = parsed(content.decode(errors="replace"))
        return self._data(status, found if isinstance(found, dict) else {})

    def _data(self, status: int, found: Mapping[str, Any]) -> Mapping[str, Any]:
        errors = found.get("errors")
        said = "; ".join(str(one.get("message", one) if isinstance(one, dict) else one) for one in errors or [])
        if status in (401, 403):
            raise StoreError(
                f"{self.place}: {self.url} refuses the key ({said or status}); set {wandb_access.KEY} to one that may "
                "read this project"
            )
        if status in BUSY:
            raise StoreError(f"{self.place}: {self.url} is busy or broken (status {status}); ask again later")
        if status != 200 or said or not isinstance(found.get("data"), dict):
            where = urlsplit(self.url).netloc
            raise StoreError(
                f"{self.place}: {where} answers {said or f'status {status}, and no GraphQL'}; see "
                f"{wandb_access.BASE_URL}"
            )
        return found["data"]


class _Retry(urllib3.Retry):
    """Tries again as long as somebody would wait."""

    def get_retry_after(self, response: Any) -> float | None:
        """The wait that the server asks for, in seconds."""
        asked = super().get_retry_after(response)
        return None if asked is None else min(asked, LONGEST_WAIT_SECONDS)


def _short(error: Any) -> str:
    """The kind of a fault and its reason, without the address of a Python object."""
    return str(error).rpartition("object at 0x")[2].partition(">: ")[2] or str(error) or type(error).__name__
