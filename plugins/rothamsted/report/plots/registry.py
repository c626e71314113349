"""The table of plots: one row a plot, in the order of a report.

Apart, because this is the one place to change for a new plot.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from rothamsted.report.plots.contract import Plot
from rothamsted.report.plots.curves import curves_caption, curves_data, curves_draw
from rothamsted.report.plots.forest import forest_caption, forest_data, forest_draw
from rothamsted.report.plots.heatmap import heatmap_caption, heatmap_data, heatmap_draw
from rothamsted.report.plots.history import history_caption, history_data, history_draw
from rothamsted.report.plots.importance import importance_caption, importance_data, importance_draw
from rothamsted.report.plots.outcomes import outcomes_caption, outcomes_data, outcomes_draw
from rothamsted.report.plots.parallel import parallel_caption, parallel_data, parallel_draw
from rothamsted.report.plots.pareto import pareto_caption, pareto_data, pareto_draw
from rothamsted.report.plots.scatter import scatter_caption, scatter_data, scatter_draw
from rothamsted.report.plots.schedule import schedule_caption, schedule_data, schedule_draw
from rothamsted.report.plots.sensitivity import sensitivity_caption, sensitivity_data, sensitivity_draw
from rothamsted.report.plots.trends import trends_across_data, trends_caption, trends_data, trends_draw

PLOTS: Mapping[str, Plot] = MappingProxyType(
    {
        "outcomes": Plot(
            title="Completion and failures", data=outcomes_data, draw=outcomes_draw, caption=outcomes_caption
        ),
        "trends": Plot(title="Trends", data=trends_data, draw=trends_draw, caption=trends_caption),
        "trends_across": Plot(
            title="Trends, the other way round", data=trends_across_data, draw=trends_draw, caption=trends_caption
        ),
        "heatmap": Plot(title="Heatmap of two factors", data=heatmap_data, draw=heatmap_draw, caption=heatmap_caption),
        "forest": Plot(
            title="Differences from the reference", data=forest_data, draw=forest_draw, caption=forest_caption
        ),
        "curves": Plot(
            title="Learning curves by step",
            data=partial(curves_data, axis="step"),
            draw=curves_draw,
            caption=curves_caption,
        ),
        "curves_by_time": Plot(
            title="Learning curves by training time",
            data=partial(curves_data, axis="seconds"),
            draw=curves_draw,
            caption=curves_caption,
        ),
        "schedule": Plot(
            title="Learning-rate schedule", data=schedule_data, draw=schedule_draw, caption=schedule_caption
        ),
        "sensitivity": Plot(
            title="Scale sensitivity", data=sensitivity_data, draw=sensitivity_draw, caption=sensitivity_caption
        ),
        "scatter": Plot(
            title="Every replicate against each factor", data=scatter_data, draw=scatter_draw, caption=scatter_caption
        ),
        "importance": Plot(
            title="Parameter importance", data=importance_data, draw=importance_draw, caption=importance_caption
        ),
        "parallel": Plot(
            title="Parallel coordinates", data=parallel_data, draw=parallel_draw, caption=parallel_caption
        ),
        "history": Plot(title="Optimisation history", data=history_data, draw=history_draw, caption=history_caption),
        "pareto": Plot(title="Pareto front", data=pareto_data, draw=pareto_draw, caption=pareto_caption),
    }
)
