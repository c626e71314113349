"""Set how MLflow's UI shows the trials of a sweep when its link is opened: filter, order, columns, charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rothamsted import tags
from rothamsted.analysis.objectives import OBJECTIVE, objective_key
from rothamsted.analysis.points import CURVE, SPREAD
from rothamsted.spec import Sweep
from rothamsted.statistics.centres import statistic_of
from rothamsted.sweeping.run_names import varying

MOST_PARAMETERS = 6  # columns, and axes of a chart; a run's name has them all
MOST_RUNS = 20  # in a chart of bars
_DATASET = "attributes.`Dataset`"
_FIRST, _LAST = ("1", "attributes.`Run Name`"), ("runDateAndNestInfo", "duration")  # the UI's own: "1" has the boxes
_N_MEANS = 4  # columns that begin the list: mean, interval, n


def trials_view(sweep: Sweep) -> dict[str, Any]:
    """Return the state of the UI's run list, as its button "Share" would keep it.

    Confirmations and replicates are not among the runs.
    """
    ranked_by = f"{OBJECTIVE}/{statistic_of(sweep.objective.over)}"
    return {
        "searchFilter": f"tags.`{tags.SWEEP}` = '{sweep.name}' AND tags.`{tags.ROLE}` = 'trial'",
        "orderByKey": f"metrics.`{ranked_by}`",
        "orderByAsc": sweep.objective.direction == "minimize",
        "selectedColumns": (columns := _columns(sweep, ranked_by)),
        "columnOrder": [*_FIRST, *columns, *_LAST],
        "columnWidths": {"attributes.`Run Name`": 270, _DATASET: 150} | dict.fromkeys(columns[:_N_MEANS], 115),
        "compareRunSections": [
            {"uuid": name, "name": name, "display": True, "isReordered": True}
            for name in (OBJECTIVE, sweep.objective.metric)
        ],
        "compareRunCharts": _charts(sweep, ranked_by),
        "isAccordionReordered": True,  # keep the sections in this order; those of other metrics follow
    }


def _columns(sweep: Sweep, ranked_by: str) -> Sequence[str]:
    others = [f"{objective_key(1, one.metric)}/{statistic_of(one.over)}" for one in sweep.objectives[1:]]
    metrics = [ranked_by, *(f"{OBJECTIVE}/{name}" for name in ("ci_low", "ci_high", "n")), *others]
    return [
        *(f"metrics.`{name}`" for name in metrics),
        *(f"params.`{name}`" for name in varying(sweep)[:MOST_PARAMETERS]),
        _DATASET,
        f"tags.`{tags.TRIAL}`",
    ]


def _charts(sweep: Sweep, ranked_by: str) -> list[dict[str, Any]]:
    """What the conditions scored, by their parameters too, and the mean curves.

    The UI makes a chart of every metric that has none here: of the others a deleted one is named.
    """
    metric = sweep.objective.metric
    parallel = {"selectedParams": varying(sweep)[:MOST_PARAMETERS], "selectedMetrics": [ranked_by], "showAllRuns": True}
    statistics = [f"{OBJECTIVE}/{name}" for name in (*CURVE, *SPREAD)]
    unseen = [name for name in statistics if name != ranked_by] + [f"{metric}/{name}" for name in CURVE[1:]]
    return [
        _card("BAR", ranked_by, OBJECTIVE, runsCountToCompare=MOST_RUNS),
        {**_card("PARALLEL", "", OBJECTIVE, **parallel), "uuid": "parameters"},
        _card("LINE", f"{metric}/mean", metric, **_LINE),
        *(_card("BAR", name, name.rpartition("/")[0], deleted=True) for name in unseen),
    ]


def _card(kind: str, metric: str, section: str, **more: Any) -> dict[str, Any]:
    own = {"type": kind, "uuid": metric, "metricKey": metric, "metricSectionId": section, "isGenerated": True}
    return {**own, "deleted": False, **more}


_LINE = {  # what the UI expects of a chart of curves
    "lineSmoothness": 0,
    "xAxisKey": "step",
    "selectedXAxisMetricKey": "",
    "xAxisScaleType": "linear",
    "scaleType": "linear",
    "range": {},
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}
