"""What promotion refuses. Apart, because every module of promotion refuses something, and callers catch one kind."""

from __future__ import annotations

from rothamsted.errors import UserError


class PromotionError(UserError):
    """A promotion or rollback that cannot be decided or made; nothing is recorded, no alias moves."""
