"""Read a sweep file and find its study, which tells the parameters.

`spec` knows no studies, and `studies` knows no sweep files. Code for foreign projects is imported only if there is one:
it needs MLflow, and a mistake in a file must be reported before MLflow is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rothamsted.errors import SpecError, UserError
from rothamsted.metric import Metric
from rothamsted.mlproject import find_root, study_commands
from rothamsted.spec import Sweep, comment, load_sweep
from rothamsted.spec.document import Document
from rothamsted.spec.recorded import recorded_text
from rothamsted.studies import Study, field_types, fields, find, is_script, set_fields
from rothamsted.studies.tensorboard import check_tensorboard
from rothamsted.sweeping.stage import monitored, stage_config
from rothamsted.wandb_access import check_wandb
from rothamsted.yaml_text import read_text

if TYPE_CHECKING:
    from rothamsted.sweeping.foreign_study import ForeignStudy


def load(
    path: str | Path | Document | None,
    overrides: Mapping[str, str],
    root: Path,
    *,
    known: Mapping[str, Study] = MappingProxyType({}),
) -> tuple[Sweep, Study | ForeignStudy]:
    """Read and check a sweep file of the project at `root`, and its study. Without a file, the overrides have all keys.

    The address of the sweep's search is absolute, see `places`.

    Args:
        path: the sweep file, or its contents.
        overrides: keys of the command line; see `load_sweep`.
        root: root of the project.
        known: studies that exist already, by their name in the file.

    Raises:
        SpecError: the file or an override is wrong, or the study refuses a condition.
        StudyError: the study cannot be imported.
    """
    project = _Project(root=root, known=known)

    def taken(own: str, name: str, take: str, storage: str) -> Mapping[str, Any]:
        from rothamsted.sweeping.open.parent import take_from
        from rothamsted.sweeping.open.whose_search import search_of
        from rothamsted.tracking import tracking_uri

        there = search_of(storage, name, root=root, tracking_uri=tracking_uri())
        return take_from(own, name, take, there, metrics_of=project.metrics_of_other)

    sweep = load_sweep(
        path,
        overrides,
        parameter_names=project.parameter_names,
        project_parameters=project.parameters_of,
        check_condition=lambda name, flat: _check_condition(project.study(name), flat),
        known_studies=project.known_studies(),
        root=root,
        in_own_names=project.in_own_names,
        aliases_of=lambda name: fields.aliases_of(project.study(name).config),
        metrics_of=lambda name: project.study(name).known_metrics,
        taken=taken,
    )
    from rothamsted.sweeping.open.whose_search import with_search
    from rothamsted.tracking import tracking_uri

    study = _checked_foreign(sweep, root) if sweep.is_foreign else project.study(str(sweep.study))
    sweep = with_search(sweep, root=root, tracking_uri=tracking_uri())
    check_monitor(sweep, study)
    check_resume(sweep, study)
    if sweep.execution.tensorboard:
        check_tensorboard()
    if sweep.execution.wandb is not None:
        check_wandb(sweep.execution.wandb.mode)
    return sweep, study


@dataclass(frozen=True, kw_only=True)
class _Project:
    """What a loader asks of the project whose sweep file it reads: its studies, and what these declare.

    Attributes:
        root: its folder.
        known: studies that are there already, by the name that the file has for them.
    """

    root: Path
    known: Mapping[str, Study]
    _found: dict[str, Study] = field(default_factory=dict)

    @cached_property
    def commands(self) -> dict[str, str]:
        """Asked for studies only: a foreign project is swept from any folder."""
        return study_commands(find_root(self.root))

    def study(self, name: str) -> Study:
        """The study of this name, imported once."""
        if name in self.known:
            return self.known[name]
        if name not in self._found:
            self._found[name] = find(name, self.root)
        return self._found[name]

    def known_studies(self) -> Iterator[str]:
        """Names to propose where there is no such study."""
        names: set[str] = {*self.known, *([] if self.known else self.commands)}
        yield from sorted(names)

    def parameter_names(self, name: str) -> Mapping[str, Any] | None:
        """The parameters of a study, each with its type; None where there is no such study."""
        is_there = name in self.known or name in self._found or is_script(name) or name in self.commands
        return field_types(self.study(name).config) if is_there else None

    def parameters_of(self, uri: str, entry_point: str, version: str | None) -> Mapping[str, Any]:
        """The parameters that a foreign project declares."""
        from rothamsted.tracking.projects.opening import open_project

        declared = open_project(uri, entry_point, version, root=self.root).parameters
        return {name: float if one.type == "float" else None for name, one in declared.items()}

    def in_own_names(self, name: str, data: Mapping[str, Any], place: str) -> Mapping[str, Any] | None:
        """Fields of a study's config from a file that may spell them in other ways."""
        return fields.in_own_names(self.study(name).config, data, place=place)

    def metrics_of_other(self, name: str) -> Mapping[str, Metric]:
        """What the study of another sweep declares of its metrics."""
        try:
            return self.study(name).known_metrics
        except UserError:  # its study may be gone, and its results are not: they only lack the ranges of metrics
            return {}


def _check_condition(study: Study, flat: Mapping[str, Any]) -> None:
    set_fields(study.config, flat)


def find_target(sweep: Sweep, root: Path) -> Study | ForeignStudy:
    """Find what a sweep that was started before trains.

    Raises:
        UserError: its study or project no longer exists.
    """
    if not sweep.is_foreign:
        return find(str(sweep.study), root)
    from rothamsted.sweeping.foreign_study import open_foreign

    return open_foreign(sweep, root)


def opening_comment(path: Path) -> str:
    """Return the comment at the top of a sweep file: its question, cost, expected result and source."""
    text = read_text(path, str(path), way_out="give the path of a sweep file")
    return comment.opening_comment(recorded_text(text))


def check_monitor(sweep: Sweep, study: Study | ForeignStudy) -> None:
    """Refuse trainings that end by another metric than the sweep's objective.

    Raises:
        SpecError: names the place and the way out.
    """
    for name, metric in monitored(study, sweep).items() if isinstance(study, Study) else ():
        fixed = [sweep.parameters, *(stage.parameters for stage in sweep.stages)]
        others = [one[name] for one in fixed if one.get(name, metric) != metric]
        if others or name in sweep.space:
            found = repr(others[0]) if others else "the space"
            raise SpecError(
                f"sweep {sweep.name}: {name}: is the objective's metric {metric} in a sweep, not {found}; leave it "
                "out, or end trainings by another metric with early_stopping: {patience: 5, metric: …}"
            )


def check_resume(sweep: Sweep, study: Study | ForeignStudy) -> None:
    """Refuse a stage that must go on from checkpoints if the study cannot.

    Raises:
        SpecError: names the stage and the way out.
    """
    for index, stage in enumerate(sweep.stages):
        if index == 0 or stage.resume is not True:
            continue
        place = f"sweep {sweep.name}: stages[{index}].resume"
        if not isinstance(study, Study) or study.extends is None:
            what = f"study '{study.name}'" if isinstance(study, Study) else "a foreign project"
            raise SpecError(f"{place}: {what} cannot go on from a shorter training; give resume: auto")
        if sweep.execution.population != 1:
            raise SpecError(f"{place}: needs replicates that are trained one by one; give execution: {{population: 1}}")
        _, condition = next(sweep.search_space.probes(), ("", {}))
        seed = sweep.stage_seeds(index)[0]
        old, new = (stage_config(study, sweep, number, condition, seed) for number in (index - 1, index))
        if not study.extends(new, old):
            raise SpecError(
                f"{place}: study '{study.name}' cannot go on from stage {index} in stage {index + 1}, which is not the "
                "same training, only longer; give resume: auto, or change its parameters"
            )


def _checked_foreign(sweep: Sweep, root: Path) -> ForeignStudy:
    from rothamsted.sweeping.foreign_study import checked_foreign

    return checked_foreign(sweep, root)
