"""From a sweep file to a sweep and its study: the schema asks the study which parameters there are.

Apart because `spec` knows no study and `study` knows no sweep file. What a foreign project takes is imported where
there is one: it needs MLflow, and a mistake in a file is to be told before MLflow is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rothamsted.errors import SpecError
from rothamsted.mlproject import find_root, study_commands
from rothamsted.spec import Sweep, comment, load_sweep
from rothamsted.spec.document import Document
from rothamsted.studies import Study, field_types, fields, find, is_script, set_fields
from rothamsted.studies.tensorboard import check_tensorboard
from rothamsted.sweeping.stage import stage_config

if TYPE_CHECKING:
    from rothamsted.sweeping.foreign_study import ForeignStudy


def load(
    path: str | Path | Document | None,
    overrides: Mapping[str, str],
    root: Path,
    *,
    known: Mapping[str, Study] = MappingProxyType({}),
) -> tuple[Sweep, Study | ForeignStudy]:
    """Read and check a sweep file of the project at `root`; also its study. Without a file the overrides have it all.

    Args:
        path: the sweep file, or its contents.
        overrides: from the command line; see `load_sweep`.
        root: of the project.
        known: studies that are there already, by the name that the file has for them.

    Raises:
        SpecError: the file, an override, or a condition that the study refuses.
        StudyError: the study cannot be imported.
    """
    studies: dict[str, Study] = dict(known)

    @cache
    def commands() -> dict[str, str]:  # asked for studies only: a foreign project is swept from any folder
        return study_commands(find_root(root))

    def study_of(name: str) -> Study:
        if name not in studies:
            studies[name] = find(name, root)
        return studies[name]

    def known_studies() -> Iterator[str]:
        yield from sorted({*known, *([] if known else commands())})

    def parameter_names(name: str) -> Mapping[str, Any] | None:
        return field_types(study_of(name).config) if name in studies or is_script(name) or name in commands() else None

    def project_parameters(uri: str, entry_point: str, version: str | None) -> Mapping[str, Any]:
        from rothamsted.tracking.projects.project import open_project

        declared = open_project(uri, entry_point, version, root=root).parameters
        return {name: float if one.type == "float" else None for name, one in declared.items()}

    def check_condition(name: str, flat: Mapping[str, Any]) -> None:
        set_fields(study_of(name).config, flat)

    def in_own_names(name: str, data: Mapping[str, Any], place: str) -> Mapping[str, Any] | None:
        return fields.in_own_names(study_of(name).config, data, place=place)

    sweep = load_sweep(
        path,
        overrides,
        parameter_names=parameter_names,
        project_parameters=project_parameters,
        check_condition=check_condition,
        known_studies=known_studies(),
        root=root,
        in_own_names=in_own_names,
        metrics_of=lambda name: study_of(name).known_metrics,
    )
    study = _checked_foreign(sweep, root) if sweep.is_foreign else study_of(str(sweep.study))
    check_resume(sweep, study)
    if sweep.execution.tensorboard:
        check_tensorboard()
    return sweep, study


def find_target(sweep: Sweep, root: Path) -> Study | ForeignStudy:
    """What a sweep that was started before trains.

    Raises:
        UserError: its study or project is not there any more.
    """
    if not sweep.is_foreign:
        return find(str(sweep.study), root)
    from rothamsted.sweeping.foreign_study import open_foreign

    return open_foreign(sweep, root)


def opening_comment(path: Path) -> str:
    """The comment that a sweep file opens with: its question, cost, expected result and source."""
    return comment.opening_comment(path.read_text(encoding="utf-8"))


def check_resume(sweep: Sweep, study: Study | ForeignStudy) -> None:
    """Refuse a stage that must go on from checkpoints with a study that cannot.

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
        if sweep.execution.population > 1:
            raise SpecError(f"{place}: needs replicates that train alone; give execution: {{population: 1}}")
        _, condition = next(sweep.search_space.probes(), ("", {}))
        seed = sweep.stage_seeds(index)[0]
        old, new = (stage_config(study, sweep, number, condition, seed) for number in (index - 1, index))
        if not study.extends(new, old):
            raise SpecError(
                f"{place}: to study '{study.name}' stage {index + 1} is no longer training of the same kind than "
                f"stage {index}, so it cannot go on from it; give resume: auto, or change its parameters"
            )


def _checked_foreign(sweep: Sweep, root: Path) -> ForeignStudy:
    from rothamsted.sweeping.foreign_study import checked_foreign

    return checked_foreign(sweep, root)
