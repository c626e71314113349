"""The one seam to functions as studies: what a sweep calls a target, and the study that it is."""

from __future__ import annotations

from typing import Any

from rothamsted.errors import UserError
from rothamsted.studies import Study


def named(target: Any) -> tuple[str, Study]:
    """What a sweep file has for a study or function, and the study.

    Raises:
        UserError: it is neither.
    """
    if isinstance(target, Study):
        return target.name, target
    raise UserError(f"rt.sweep: {target!r} is no study; give the name of an entry point, or a sweep file")
