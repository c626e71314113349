"""Read times of other tools: seconds or milliseconds since 1970, or a date with or without a zone."""

from __future__ import annotations

import math
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rothamsted.errors import UserError
from rothamsted.importing.flat import number_of

_SECONDS = (1e8, 1e11)  # from 1973 to 5138: smaller numbers are durations, larger ones milliseconds


def zone_of(text: str | None) -> tzinfo | None:
    """Return the zone for times without one: UTC, `local` (None) for this machine's, or a name such as Europe/London.

    Raises:
        UserError: there is no such zone.
    """
    if text in (None, "", "UTC", "utc"):
        return UTC
    if text == "local":
        return None
    try:
        return ZoneInfo(str(text))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(
            f"time_zone={text}: there is no such zone; write UTC, local, or a name such as Europe/London"
        ) from None


def time_ms(value: Any, zone: tzinfo | None = UTC) -> int | None:
    """Return milliseconds since 1970 of a number or a date; None if it is not a time.

    Args:
        value: 1700000000.5, 1700000000500, "2023-11-14T22:13:20Z", "2023-11-14 22:13:20", or a datetime.
        zone: zone of a date without one; None: this machine's, with summer times.

    Example:
        >>> time_ms("2023-11-14 22:13:20"), time_ms(1700000000), time_ms(12.5)
        (1700000000000, 1700000000000, None)
    """
    number = number_of(value)
    if number is not None:
        if not math.isfinite(number):
            return None
        if _SECONDS[0] <= number < _SECONDS[1]:
            return round(number * 1000)
        return round(number) if _SECONDS[1] <= number < _SECONDS[1] * 1000 else None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    aware = value if value.tzinfo is not None else value.replace(tzinfo=zone)  # None: as this machine has it
    try:
        return max(0, round(aware.timestamp() * 1000))
    except (OverflowError, OSError, ValueError):
        return None
