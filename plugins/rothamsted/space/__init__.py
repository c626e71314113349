"""Define search spaces: domains, their joint space, and the notations in which they are written.

Hydra's notation is in `rothamsted.space.hydra`, which is imported only when needed: its parser takes 0.1 s.
"""

from rothamsted.space.domains import Choice, Domain, DomainError, Range
from rothamsted.space.equal import condition_key, own_values, stored_bounds
from rothamsted.space.finite import n_conditions_of, untried
from rothamsted.space.plain import domain_from_plain, domain_to_plain
from rothamsted.space.space import Condition, Space, SpaceError
from rothamsted.space.values import among, identity, is_equal_value, shortened, unwritable
from rothamsted.space.words import domain_words, unplaced

__all__ = [
    "Choice",
    "Condition",
    "Domain",
    "DomainError",
    "Range",
    "Space",
    "SpaceError",
    "among",
    "condition_key",
    "domain_from_plain",
    "domain_to_plain",
    "domain_words",
    "identity",
    "is_equal_value",
    "n_conditions_of",
    "own_values",
    "shortened",
    "stored_bounds",
    "unplaced",
    "untried",
    "unwritable",
]
