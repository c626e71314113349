"""How MLflow's UI shows the trials of a sweep when its link is opened: filtered, sorted, few columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rothamsted import tags
from rothamsted.analysis.objectives import OBJECTIVE, objective_key
from rothamsted.spec import Sweep
from rothamsted.statistics.centres import statistic_of
from rothamsted.sweeping.run_names import varying

MOST_PARAMETERS = 6  # columns; a run's name has them all


def trials_view(sweep: Sweep) -> dict[str, Any]:
    """The state of the UI's run list, as its button "Share" would keep it.

    Confirmations, which have fresh seeds, and replicates are not among the runs.
    """
    ranked_by = f"metrics.`{OBJECTIVE}/{statistic_of(sweep.objective.over)}`"
    return {
        "searchFilter": f"tags.`{tags.SWEEP}` = '{sweep.name}' AND tags.`{tags.ROLE}` = 'trial'",
        "orderByKey": ranked_by,
        "orderByAsc": sweep.objective.direction == "minimize",
        "selectedColumns": _columns(sweep, ranked_by),
    }


def _columns(sweep: Sweep, ranked_by: str) -> Sequence[str]:
    others = [objective_key(i, one.metric) for i, one in enumerate(sweep.objectives)][1:]
    intervals = [f"metrics.`{OBJECTIVE}/{name}`" for name in ("ci_low", "ci_high", "n")]
    return [
        ranked_by,
        *intervals,
        *(f"metrics.`{key}/{statistic_of(one.over)}`" for key, one in zip(others, sweep.objectives[1:], strict=True)),
        *(f"params.`{name}`" for name in varying(sweep)[:MOST_PARAMETERS]),
        "attributes.`Dataset`",
        f"tags.`{tags.TRIAL}`",
    ]
