"""Search with Optuna: its storage, the queue of trials in it, and the samplers that propose conditions.

Only this package uses Optuna. A worker never touches Optuna's objects.
"""

from typing import TYPE_CHECKING

from rothamsted.first_use import at_first_use

if TYPE_CHECKING:  # the same for type checkers
    from rothamsted.search.copied import copy_studies
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
    "copy_studies",
    "count_usable",
    "dashboard_command",
    "find_search",
    "load_study",
    "open_queue",
    "take_step",
]

_HOMES = {
    "Counts": "told",
    "Known": "told",
    "Lease": "lease",
    "LostError": "lease",
    "OptunaStudy": "storage",
    "Queue": "queue",
    "Renewer": "renewer",
    "SearchRecord": "storage",
    "SweepLease": "sweep_lease",
    "SweepLeaseLostError": "sweep_lease",
    "Told": "told",
    "ToldTrial": "sql.told_trials",
    "check_storage": "storage",
    "copy_studies": "copied",
    "count_usable": "known",
    "dashboard_command": "storage",
    "find_search": "storage",
    "load_study": "storage",
    "open_queue": "storage",
    "take_step": "steps",
}
__getattr__, __dir__ = at_first_use(__name__, _HOMES, globals())
