"""Say of results that are not complete what they lack."""

from __future__ import annotations

from rothamsted.wording import verb

SO_FAR = "analysed with the results so far"  # ends a sentence on what is still open


def ended_words(n_ended: int, n: int) -> str:
    """Say how many conditions have ended: "1 of 6 conditions has ended"."""
    return f"{n_ended} of {n} conditions {verb(n_ended, 'has', 'have')} ended"
