"""Explain the keys that several commands take: which runs, how they are analysed, what is drawn, where it goes."""

RUNS = {
    "sweep": "name of a sweep, or id of its run",
    "experiment": "in place of sweep: MLflow experiment of runs that no sweep made",
    "group_by": "with experiment: the parameters that make a condition, a,b",
    "replicate_by": "with experiment: the parameter that differs between replicates, such as seed",
    "task": "the parameter whose values are tasks, such as data sets: conditions are compared over them",
    "task_scale": "how tasks are put on one scale: range, none, or the ends of each, {mnist: [0.1, 1.0]}",
    "metric": "the metric to judge by, or arithmetic on metrics, acc - 0.1 * seconds; by default the sweep's objective",
    "direction": "minimize or maximize",
    "reduce": "how a curve becomes one number: last, best, mean_of_last:5",
    "metrics": "further metrics whose curves are drawn, a,b",
}
HOW = {
    "over_seeds": "what stands for a condition over its seeds: mean, median, iqm or quantile:0.1",
    "level": "the confidence level of every interval, such as 0.95",
    "interval": "how intervals are made",
    "best": "the method that finds which conditions can be the best: leaders or simple",
    "smallest_difference": "a loss that does not matter, in units of the objective",
    "reference": "number of the condition that all others are compared with",
    "correction": "how p-values of the comparisons with the reference are corrected",
    "test": "the test of the comparisons with the reference",
}
PLOTS = {
    "plots": "which plots, a,b; by default all that apply",
    "x": "parameter on the horizontal axis; of curves step, epoch, samples or seconds",
    "smoothing": "how curves are smoothed: ema:0.9 or mean:5",
    "group": "parameter that lines are grouped by",
    "over": "what stands for the parameters that a plot does not show: best or mean",
    "second": "second metric of the Pareto front",
    "second_direction": "minimize or maximize",
}
FIGURES = {
    "format": "png, svg or pdf, a,b: write figures to folder (figures) in place of the page",
    "where": "plots show only conditions with these values, 'gamma=1 batch_size=64'",
    "size": "with format: width in mm",
}
OUT = {
    "folder": "folder for a copy of the page",
    "export": "folder for the results as JSON",
    "export_names": "YAML or JSON file of other names for fields, conditions and plots",
}
