"""List the phases of a sweep, in their order."""

from __future__ import annotations

from rothamsted.spec import Sweep
from rothamsted.sweeping.phases.given import Given
from rothamsted.sweeping.phases.phase import Phase
from rothamsted.sweeping.phases.proposed import Proposed
from rothamsted.sweeping.phases.race import Raced
from rothamsted.sweeping.phases.replicated import Replicated


def phases_of(sweep: Sweep) -> list[Phase]:
    """Return the phases: missing replicates, the search, then race and confirmation if the file asks for them."""
    phases: list[Phase] = [Proposed(n_trials=sweep.n_trials)]
    if sweep.replicates.racing is not None:
        phases.append(Raced(sweep=sweep))
    else:
        phases.insert(0, Replicated(n_replicates=sweep.replicates.n_first))
    if sweep.confirm is not None:
        phases.append(Given(keep=sweep.confirm.keep, seeds=sweep.confirm_seeds))
    return phases
