"""Stop a sweep in which every replicate fails for the same reason, before its whole budget is spent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rothamsted.records import Outcome

MOST_ALIKE = 3  # failures with one reason, before anything has come to a result
_NUMBERS = re.compile(r"\d[\d.e+-]*")  # a seed, a rate or an address in a message make no other reason


@dataclass(kw_only=True)
class Hopeless:
    """Counts failures with one reason as long as no replicate has a result."""

    alike: Counter[str] = field(default_factory=Counter)

    def why(self, said: Mapping[str, Any], ended: Iterable[str]) -> str:
        """Say why the sweep must stop after this end of a replicate; empty: it goes on.

        Args:
            said: the worker's event.
            ended: the outcomes of all ended replicates of the sweep, also of earlier sessions.
        """
        if said["outcome"] != Outcome.FAILED or any(one != Outcome.FAILED for one in ended):
            return ""
        reason = str(said["reason"])
        if said["was_trained"]:  # the file asks for what is not logged
            return f"{reason}; correct the file, and give the same command again"
        alike = _NUMBERS.sub("0", reason)
        self.alike[alike] += 1
        if self.alike[alike] < MOST_ALIKE:
            return ""
        lines = "\n".join(["", *said["last_lines"]]) if said["last_lines"] else ""
        return f"{MOST_ALIKE} replicates failed alike and none has finished: {reason}{lines}"
