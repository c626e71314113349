"""What each command takes: its words, its keys and what they mean. Help, completion and errors are made from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a command takes.

    Attributes:
        does: in one line.
        keys: key -> meaning.
        words: keys that words without a key fill, in this order.
        takes_many: the last of `words` takes all words that are left, joined by commas.
        others: which other keys are taken, in words; empty: none.
        example: what follows the command's name.
    """

    does: str
    keys: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    takes_many: bool = False
    others: str = ""
    example: str = ""


_RUNS = {
    "sweep": "name of a sweep, or id of its run",
    "experiment": "MLflow experiment of runs that no sweep made, in place of sweep",
    "group_by": "with experiment: the parameters that make a condition, a,b",
    "replicate_by": "with experiment: the parameter that differs between replicates, such as seed",
    "task": "the parameter whose values are tasks, such as data sets: conditions are compared over them",
    "task_scale": "how tasks are put on one scale: range, none, or the ends of each, {mnist: [0.1, 1.0]}",
    "metric": "the metric to judge by; by default the sweep's objective",
    "direction": "minimize or maximize",
    "reduce": "how a curve becomes one number: last, best, mean_of_last:5",
    "metrics": "metrics whose curves are drawn, too, a,b",
}
_HOW = {
    "over_seeds": "what stands for a condition over its seeds: mean, median, iqm or quantile:0.1",
    "level": "of every interval, such as 0.95",
    "interval": "how intervals are made",
    "best": "how it is found which conditions can be the best: leaders or simple",
    "smallest_difference": "a loss that does not matter, in units of the objective",
    "reference": "number of the condition that all others are compared with",
    "correction": "of the comparisons with the reference",
    "test": "of the comparisons with the reference",
}
_PLOTS = {
    "plots": "which plots, a,b; by default all that apply",
    "x": "parameter on the horizontal axis; of curves step, epoch, samples or seconds",
    "smoothing": "of curves: ema:0.9 or mean:5",
    "group": "parameter that lines are grouped by",
    "over": "what stands for the parameters that a plot does not show: best or mean",
    "second": "second metric of the Pareto front",
    "second_direction": "minimize or maximize",
}
_FIGURES = {
    "format": "png, svg or pdf, a,b: write figures to folder (figures) in place of the page",
    "where": "with format: only conditions with these values, 'gamma=1 batch_size=64'",
    "size": "with format: width in mm",
}
_OUT = {
    "folder": "a copy of the page goes there",
    "export": "folder for the results as JSON",
    "export_names": "JSON file with other names for the exported fields",
}
_FILE = "every key of the sweep file (trials, execution.workers, …) and every parameter of the study"

USAGES: Mapping[str, Usage] = {
    "sweep": Usage(
        does="Run a sweep, or go on with it.",
        keys={"config": "the sweep file; by default sweeps/quickstart.yaml"},
        words=("config",),
        others=_FILE,
        example="sweeps/quickstart.yaml trials=20 execution.workers=1",
    ),
    "check": Usage(
        does="Validate a sweep file, train one replicate to see how long it takes, and print the plan.",
        keys={"config": "the sweep file", "time": "false: train nothing"},
        words=("config",),
        others=_FILE,
        example="sweeps/quickstart.yaml",
    ),
    "worker": Usage(
        does="Work on a sweep that was started before, from any machine, until nothing is left.",
        keys={
            "sweep": "its name",
            "storage": "its search database; by default optuna.db beside the tracking store",
        },
        words=("sweep",),
        example="quickstart storage=postgresql+psycopg://host/optuna",
    ),
    "analyze": Usage(
        does="Compute all statistics of a sweep, or of any runs, again, and write them to MLflow. Trains nothing.",
        keys={**_RUNS, **_HOW, **_PLOTS, **_OUT},
        words=("sweep",),
        example="quickstart level=0.9",
    ),
    "report": Usage(
        does="Write the report of a sweep, or of any runs, as one HTML page; with format=pdf its plots as figures.",
        keys={**_RUNS, **_HOW, **_PLOTS, **_OUT, **_FIGURES},
        words=("sweep",),
        example="quickstart plots=forest,curves format=pdf folder=figures",
    ),
    "compare": Usage(
        does="Put runs or sweeps side by side; the first is what the others are compared with.",
        keys={
            "runs": "names of sweeps or ids of runs, a,b,c",
            **{key: _RUNS[key] for key in ("metric", "direction", "reduce")},
            **_HOW,
            "folder": "where the page goes; by default reports",
        },
        words=("runs",),
        takes_many=True,
        example="before after",
    ),
    "power": Usage(
        does="Say how many replicates a difference takes, from the spread of a sweep that ran.",
        keys={
            **_RUNS,
            "difference": "in units of the objective",
            "over_seeds": _HOW["over_seeds"],
            "power": "the share of studies that should see it, such as 0.8",
            "level": _HOW["level"],
        },
        words=("sweep",),
        example="quickstart difference=0.01",
    ),
    "promote": Usage(
        does="Judge the confirmed winner of a sweep by a policy, and make it the champion where the evidence says so.",
        keys={
            "sweep": "name of a sweep, or id of its run",
            "policy": "a file; by default the one in registry/ for this study",
            "dry_run": "true: write and train nothing",
            "replicates": "fresh common seeds; by default as many as the policy says",
        },
        words=("sweep",),
        example="quickstart dry_run=true",
    ),
    "rollback": Usage(
        does="Make the previous champion of a registered model the champion again.",
        keys={"model": "its name in the registry", "reason": "is kept with the change", "policy": "a file"},
        words=("model",),
        example="batch_size 'reason=wrong data'",
    ),
    "registry": Usage(
        does="Print the history of a registered model: versions, verdicts, champions.",
        keys={"model": "its name in the registry", "policy": "a file"},
        words=("model",),
        example="batch_size",
    ),
    "prepare_data": Usage(
        does="Make the data file of a data set.",
        keys={"dataset": "its name", "source": "file, folder or address", "target": "file to write"},
        words=("dataset",),
        others="the options of the data set",
        example="mnist source=folder",
    ),
}
