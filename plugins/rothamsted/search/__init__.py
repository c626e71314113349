"""The search: Optuna's storage, the queue of trials in it, and the samplers that propose conditions.

The only doorway to Optuna. Apart from the sweep engine so that a worker never touches Optuna's objects.
"""

from rothamsted.search.known import count_usable
from rothamsted.search.lease import Lease, LostError
from rothamsted.search.queue import Queue
from rothamsted.search.renewer import Renewer
from rothamsted.search.sql.told_trials import ToldTrial
from rothamsted.search.steps import take_step
from rothamsted.search.storage import (
    OptunaStudy,
    SearchRecord,
    check_storage,
    dashboard_command,
    find_search,
    load_study,
    open_queue,
)
from rothamsted.search.sweep_lease import SweepLease, SweepLeaseLostError
from rothamsted.search.told import Counts, Known, Told

__all__ = [
    "Counts",
    "Known",
    "Lease",
    "LostError",
    "OptunaStudy",
    "Queue",
    "Renewer",
    "SearchRecord",
    "SweepLease",
    "SweepLeaseLostError",
    "Told",
    "ToldTrial",
    "check_storage",
    "count_usable",
    "dashboard_command",
    "find_search",
    "load_study",
    "open_queue",
    "take_step",
]
