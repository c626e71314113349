"""Define the result of a sweep, an analysis or a comparison: DataFrames, figures, a report, an export, a promotion."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rothamsted import places
from rothamsted.analysis.analyze import Settings, analyze
from rothamsted.analysis.values import Analysis, Axis, Dataset
from rothamsted.analysis.versus import versus
from rothamsted.calls import frames
from rothamsted.calls.described import DescribedSweep
from rothamsted.calls.estimate import ConditionEstimate, best_of, confirmed_of
from rothamsted.catalog import CORRECTIONS, TESTS
from rothamsted.errors import UserError
from rothamsted.suggest import known_names
from rothamsted.unsaved import UnsavedDatabases

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rothamsted.promotion.judge.policy import Policy
    from rothamsted.search import OptunaStudy

_AXES: Mapping[str, Axis] = {"step": "step", "epoch": "epoch", "samples": "samples", "seconds": "seconds"}
Read = Callable[[Collection[str]], Dataset]  # the dataset with the curves of these metrics; none: the usual ones


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Result:
    """Holds what a sweep, an analysis or a comparison gave.

    Attributes:
        dataset: conditions, replicates and curves, as they were read.
        settings: how the analysis is made.

    Example:
        >>> import rothamsted as rt
        >>> rows = [{"lr": lr, "seed": seed, "loss": lr + seed / 100} for lr in (0.1, 0.5) for seed in (0, 1, 2)]
        >>> rt.analyze(rows, group_by=["lr"], replicate_by="seed", metric="loss")
        Result('results', 2 conditions; best: lr=0.1: 0.110 [0.085, 0.135], n = 3, best)
    """

    dataset: Dataset
    settings: Settings
    _described: DescribedSweep | None = None  # None: of no sweep
    _read: Read | None = None  # reads it again, with other curves; None: there are no others
    _tracking_uri: str = ""  # empty: the runs are in no tracking store
    _databases: UnsavedDatabases | None = None  # kept for as long as this is

    # ---- what it is ----

    @property
    def name(self) -> str:
        """Give the name of the sweep, or of the runs.

        Example:
            >>> rt.load("parabola").name  # doctest: +SKIP
            'parabola'
        """
        return self.dataset.name

    @property
    def run_id(self) -> str:
        """Give the id of the sweep's run in MLflow; it is empty if there is none.

        Example:
            >>> mlflow.get_run(rt.load("parabola").run_id).data.metrics  # doctest: +SKIP
        """
        return self.dataset.run_id

    @property
    def is_complete(self) -> bool:
        """Say whether nothing is left to do. After a timeout it is False; the same call then goes on.

        Example:
            >>> rt.load("parabola").is_complete  # doctest: +SKIP
            True
        """
        return self.dataset.is_complete

    @property
    def sweep(self) -> DescribedSweep:
        """Give the sweep as a description: its keys, its study, its name.

        Raises:
            UserError: the runs are of no sweep.

        Example:
            >>> rt.load("parabola").sweep.name  # doctest: +SKIP
            'parabola'
        """
        if self._described is None:
            raise UserError(f"sweep: {self.name} is not a sweep, but runs that were grouped")
        return self._described

    @property
    def optuna_study(self) -> OptunaStudy:
        """Load Optuna's own study of the search, for `optuna.visualization` and `optuna.importance`.

        Raises:
            UserError: the runs are of no sweep, or its search no longer exists.

        Example:
            >>> rt.load("parabola").optuna_study.best_params  # doctest: +SKIP
            {'x': 1.0}
        """
        from rothamsted.search import load_study

        return load_study(self.sweep.spec.storage, self.name)

    @cached_property
    def analysis(self) -> Analysis:
        """Give all findings as plain values.

        Example:
            >>> import rothamsted as rt
            >>> rows = [{"lr": lr, "seed": seed, "loss": lr + seed / 100} for lr in (0.1, 0.5) for seed in (0, 1, 2)]
            >>> result = rt.analyze(rows, group_by=["lr"], replicate_by="seed", metric="loss")
            >>> result.analysis.ranking  # numbers of conditions, best first
            (0, 1)
        """
        return analyze(self.dataset, self.settings)

    # ---- numbers ----

    @property
    def best(self) -> ConditionEstimate:
        """Give the best condition of the search.

        Its mean is too good on average: it was chosen because it looked best. Report `confirmed` instead.

        Raises:
            UserError: no condition has a mean.

        Example:
            >>> import rothamsted as rt
            >>> rows = [{"lr": lr, "seed": seed, "loss": lr + seed / 100} for lr in (0.1, 0.5) for seed in (0, 1, 2)]
            >>> result = rt.analyze(rows, group_by=["lr"], replicate_by="seed", metric="loss")
            >>> result.best
            lr=0.1: 0.110 [0.085, 0.135], n = 3, best
        """
        return best_of(self.analysis)

    @property
    def confirmed(self) -> ConditionEstimate:
        """Give the best condition on fresh seeds: the estimate to report.

        Raises:
            UserError: nothing is confirmed.

        Example:
            >>> result = rt.sweep("train.py:train", {"lr": [0.1, 0.5]}, confirm=10)  # doctest: +SKIP
            >>> result.confirmed.mean, result.confirmed.ci_low, result.confirmed.ci_high  # doctest: +SKIP
        """
        return confirmed_of(self.analysis)

    @property
    def conditions(self) -> pd.DataFrame:
        """Give a row for each condition, best first: factors, rank, verdict, mean, interval, counts, confirmed mean.

        The interval `gap_low` to `gap_high` says how much worse the condition is than the best of the others. `seconds`
        is the mean time of a replicate. `why` is the reason if it has no rank.

        Example:
            >>> import rothamsted as rt
            >>> rows = [{"lr": lr, "seed": seed, "loss": lr + seed / 100} for lr in (0.1, 0.5) for seed in (0, 1, 2)]
            >>> result = rt.analyze(rows, group_by=["lr"], replicate_by="seed", metric="loss")
            >>> result.conditions[["label", "verdict", "mean", "n"]].to_dict("records")[0]
            {'label': 'lr=0.1', 'verdict': 'best', 'mean': 0.11, 'n': 3}
        """
        return frames.conditions_frame(self.analysis)

    @property
    def replicates(self) -> pd.DataFrame:
        """Give a row for each replicate: factors, phase, seed, outcome, objective, all metrics, seconds, run, model.

        Example:
            >>> import rothamsted as rt
            >>> rows = [{"lr": lr, "seed": seed, "loss": lr + seed / 100} for lr in (0.1, 0.5) for seed in (0, 1, 2)]
            >>> result = rt.analyze(rows, group_by=["lr"], replicate_by="seed", metric="loss")
            >>> result.replicates[["lr", "seed", "outcome", "loss"]].to_dict("records")[0]
            {'lr': 0.1, 'seed': 0, 'outcome': 'finished', 'loss': 0.1}
        """
        return frames.replicates_frame(self.analysis)

    def curves(self, metric: str | None = None, *, samples: bool = False) -> pd.DataFrame:
        """Give a row for each measurement of a metric.

        Args:
            metric: its name; None: the objective's.
            samples: also give a column of the samples seen.

        Raises:
            UserError: the metric was not logged.

        Example:
            >>> rt.load("net").curves("acc")[["label", "seed", "step", "value"]]  # doctest: +SKIP
        """
        name = metric or self._metric
        dataset = self.with_curves([name], samples=samples)
        return frames.curves_frame(dataset, name, self.analysis.ranking, has_samples=samples)

    def bands(self, metric: str | None = None, *, by: str = "step") -> pd.DataFrame:
        """Give a row for each point of a condition's mean curve: mean, interval, number of replicates.

        Args:
            metric: its name; None: the objective's.
            by: the axis: step, epoch, samples (if `samples_seen` was logged) or seconds.

        Raises:
            UserError: the metric was not logged, or there is no such axis.

        Example:
            >>> rt.load("net").bands("acc")[["label", "x", "mean", "ci_low", "ci_high"]]  # doctest: +SKIP
        """
        if by not in _AXES:
            raise UserError(f"bands: by={by!r} is not an axis; {known_names(str(by), _AXES)}")
        name = metric or self._metric
        dataset = self.with_curves([name], samples=by == "samples")
        found = self.analysis if dataset is self.dataset else replace(self.analysis, dataset=dataset, bands={})
        return frames.bands_frame(found, name, _AXES[by])

    def versus(
        self, reference: Mapping[str, Any], *, test: str | None = None, correction: str = "holm"
    ) -> pd.DataFrame:
        """Compare all conditions with one: difference (condition minus reference), interval, p-values; best first.

        If a factor is the task, there is one row for each task and condition, then rows for `all` tasks on a common
        scale.

        Args:
            reference: parameter -> value of the condition to compare with.
            test: name of a test; None: paired t if seeds pair the replicates, else Welch's t.
            correction: name of a correction of the p-values for several comparisons.

        Raises:
            UserError: there is no such condition, test or correction, or nothing can be compared.

        Example:
            >>> import rothamsted as rt
            >>> rows = [{"lr": lr, "seed": seed, "loss": lr + seed / 100} for lr in (0.1, 0.5) for seed in (0, 1, 2)]
            >>> result = rt.analyze(rows, group_by=["lr"], replicate_by="seed", metric="loss")
            >>> result.versus({"lr": 0.1})[["label", "difference", "n"]].round(2).to_dict("records")
            [{'label': 'lr=0.5', 'difference': 0.4, 'n': 3}]
        """
        if test is not None and test not in TESTS:
            raise UserError(f"versus: test={test!r}: {known_names(test, TESTS)}")
        if correction not in CORRECTIONS:
            raise UserError(f"versus: correction={correction!r}: {known_names(correction, CORRECTIONS)}")
        settings = replace(self.settings, reference=dict(reference), test=test or "auto", correction=correction)
        found = versus(self.dataset, settings)
        return frames.versus_frame([(one.task, one.dataset, one.comparisons) for one in found])

    # ---- for people ----

    def plot(
        self,
        kind: str = "intervals",
        *,
        metric: str | None = None,
        where: Mapping[str, Any] | None = None,
        ax: Axes | None = None,
    ) -> Figure:
        """Draw a plot of the report.

        Args:
            kind: name of a plot of the report: intervals, curves, heatmap, trends, differences, …
            metric: metric to draw instead of the objective, in plots that allow it.
            where: parameter -> value: draw only conditions with these values.
            ax: Matplotlib axes to draw into; None: a new figure.

        Raises:
            UserError: there is no such plot, or it has nothing to show.

        Example:
            >>> rt.load("net").plot("curves", metric="acc").savefig("acc.png")  # doctest: +SKIP
        """
        from rothamsted.calls.plotted import plotted

        return plotted(self, kind, metric=metric, where=where, axes=ax)

    def report(self, path: str | Path | None = None) -> Path:
        """Write the report, one HTML file, and return its path.

        Args:
            path: an .html file, or a folder for it; None: the folder reports beside the tracking store. If there is no
                tracking store, the folder reports of the working directory.

        Raises:
            UserError: the file cannot be written.

        Example:
            >>> rt.load("net").report("net.html")  # doctest: +SKIP
            PosixPath('net.html')
        """
        from rothamsted.publish.pages import copy_page, report_html

        html = report_html(self.analysis)
        is_kept = bool(self._tracking_uri) and self._databases is None
        beside = places.home(self._tracking_uri) if is_kept else Path()
        place = beside / places.REPORTS if path is None else Path(path)
        if place.suffix == ".html":
            return copy_page(html, place.parent, place.stem)
        return copy_page(html, place, self.name)

    def export(self, folder: str | Path, *, only: Collection[str] = ()) -> Path:
        """Write tables, JSON, the Optuna study, parts of a paper and figures to a folder, and return the folder.

        Args:
            folder: path of the folder; it is made if it does not exist.
            only: parts to write, of: results, tables, study, paper, figures; empty: all.

        Raises:
            UserError: there is no such part, nothing to export, or the folder holds another export or cannot be
                written.

        Example:
            >>> rt.load("net").export("exported", only=["results", "paper"])  # doctest: +SKIP
            PosixPath('exported')
        """
        from rothamsted.publish.exported.folder import write_folder

        parts = [only] if isinstance(only, str) else list(only)
        write_folder(self.analysis, Path(folder), uri=self._tracking_uri, only=parts)
        return Path(folder)

    def promote(self, policy: str | Path | Policy, *, dry_run: bool = False, allow_policy: bool = False) -> str:
        """Judge the confirmed winner by a policy, and return the decision: promoted, kept or undecided.

        Args:
            policy: a policy, or the path of its file.
            dry_run: write nothing, and train nothing.
            allow_policy: also take a file from outside registry/; the verdict says so.

        Raises:
            UserError: there is nothing to promote, or the policy is for something else.

        Example:
            >>> rt.load("net").promote("registry/net.yaml", dry_run=True)  # doctest: +SKIP
            'promoted'
        """
        from rothamsted.calls.promoted import promote

        if self._databases is not None:
            raise UserError(f"promote: {self.name} was not saved; run it with save=True, so that its models stay")
        how = {"dry_run": dry_run, "allow_policy": allow_policy}
        return promote(self.sweep, self.run_id, policy, tracking_uri=self._tracking_uri, **how)

    def _repr_html_(self) -> str:
        from rothamsted.calls.notebook import html_of

        where = "" if self._databases else self._tracking_uri
        storage = self._described.spec.storage if where and self._described is not None else ""
        return html_of(self.analysis, self.conditions, tracking_uri=where, storage=storage)

    def __repr__(self) -> str:
        best = repr(self.best) if self.analysis.ranking else "no condition has a mean"
        state = "" if self.is_complete else ", not complete"
        return f"Result({self.name!r}{state}, {len(self.dataset.conditions)} conditions; best: {best})"

    def with_curves(self, metrics: Collection[str], *, samples: bool = False) -> Dataset:
        """Give the dataset with the curves of some metrics. Curves that were not read before are read now.

        Args:
            metrics: their names.
            samples: also read the samples seen.

        Raises:
            UserError: one of them was not logged.

        Example:
            >>> rt.load("net").with_curves(["acc"]).replicates[0].series["acc"].values  # doctest: +SKIP
        """
        replicates = self.dataset.replicates
        if all(frames.has_curve(self.dataset, metric, samples=samples) for metric in metrics):
            return self.dataset
        known = sorted({name for one in replicates for name in (*one.metrics, *one.series)})
        for metric in metrics:
            if metric not in known:
                raise UserError(f"{self.name}: metric {metric!r} was not logged; {known_names(metric, known)}")
            if self._read is None:
                raise UserError(f"{self.name}: metric {metric!r} has one value and no curve here; give data with steps")
        return self._read(metrics) if self._read is not None else self.dataset

    # ---- within ----

    @property
    def _metric(self) -> str:
        return (self.dataset.cells or self.dataset).objective.metric
