"""Notice a sweep in which every replicate would fail alike, before its whole budget is spent."""

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
    """Counts failures with one reason for as long as no replicate has come to a result."""

    alike: Counter[str] = field(default_factory=Counter)

    def why(self, said: Mapping[str, Any], ended: Iterable[str]) -> str:
        """Why the sweep has to stop after this end of a replicate; empty: it goes on.

        Args:
            said: what the worker says of it.
            ended: the outcomes of all replicates of the sweep that have ended, those of earlier sessions too.
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
