"""The search: Optuna's storage, the queue of trials in it, and the samplers that propose conditions.

The only doorway to Optuna. Apart from the sweep engine so that a worker never touches Optuna's objects.
"""

from rothamsted.search.claims import Claimed
from rothamsted.search.queue import Counts, Queue, Told
from rothamsted.search.storage import (
    SearchRecord,
    check_storage,
    dashboard_command,
    find_search,
    open_queue,
)

__all__ = [
    "Claimed",
    "Counts",
    "Queue",
    "SearchRecord",
    "Told",
    "check_storage",
    "dashboard_command",
    "find_search",
    "open_queue",
]
