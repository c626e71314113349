"""Check everything that can be wrong with a sweep before anything is made: its data, its code, its stores, its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from rothamsted import tags, tracking
from rothamsted.foreign.command_line import CommandLine
from rothamsted.search import SearchRecord, check_storage, find_search
from rothamsted.space import Choice
from rothamsted.spec import Sweep, n_workers
from rothamsted.studies import Study, digest_of_data, rows_of_shares
from rothamsted.studies.source_code import code_digest
from rothamsted.sweeping.checkpoint_folders import check_place_of_checkpoints
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.growth import check_confirm_study, check_later_stages, growth_since
from rothamsted.sweeping.opened import Place
from rothamsted.sweeping.stage import stage_config
from rothamsted.sweeping.trial_summary import as_params
from rothamsted.tracking.outer_run import check_experiment, check_outer_run, check_params
from rothamsted.tracking.sql.connections import check_room

MOST_FILES = 5_000  # of a project whose digests are kept one by one; of a larger one all files count


@dataclass(frozen=True, kw_only=True)
class TargetCode:
    """Holds the digests of the source of what is trained.

    Attributes:
        digest: SHA-256, in hex, of all its files.
        files: of a foreign project the SHA-256 of each file by its name; empty for a study and for a command.
    """

    digest: str
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Holds what the checks found.

    Attributes:
        record: the record of a sweep that was started before; None if there is none.
        data_digest: digest of the data of its first condition; None if it is not known.
        rows: metric -> number of rows of which it is a share in every condition; metrics without a known number are
            left out.
        code: what is trained, as it is now.
        outer: the run that MLflow opened around this process; None without one.
    """

    record: SearchRecord | None
    data_digest: str | None
    rows: Mapping[str, int]
    code: TargetCode
    outer: tracking.FoundRun | None


def ask_everything(whole: Sweep, study: Study | ForeignStudy, place: Place) -> Asked:
    """Check everything that can be wrong. Nothing is created.

    Raises:
        UserError: says in one line what is wrong.
    """
    data_digest, rows = ask_target(whole, study)
    outer = ask_stores(whole.storage, place, default_experiment=whole.experiment)
    check_place_of_checkpoints(whole, place.tracking_uri)
    check_room(n_workers(whole), [whole.storage, place.tracking_uri])
    record = started_record(whole.storage, whole.name)
    code = code_of_target(whole, study, place.root, record=record, source=place.source)
    if record is not None:
        growth_since(whole, record, data_digest, tracking_uri=place.tracking_uri)
    if not whole.stages:
        check_confirm_study(whole, record)
    check_later_stages(whole, record)
    return Asked(record=record, data_digest=data_digest, rows=rows, code=code, outer=outer)


def ask_target(whole: Sweep, study: Study | ForeignStudy) -> tuple[str | None, Mapping[str, int]]:
    """Check the data, the environment and the recorded values of what is trained, for a start and for `check`.

    Returns:
        The digest of the first condition's data, and metric -> number of rows of which it is a share.

    Raises:
        UserError: says in one line what is wrong.
    """
    data_digest, rows = digest_of_first_data(whole, study), rows_in_every_condition(whole, study)
    if isinstance(study, ForeignStudy):
        study.project.check_environment(whole.execution.env_manager)
    check_params(sweep_params(whole, study))
    check_params(_longest_params(whole))
    return data_digest, rows


def ask_stores(storage: str, place: Place, *, default_experiment: str | None) -> tracking.FoundRun | None:
    """Check both databases, the experiment and the outer run, and return the outer run.

    Raises:
        StoreError: one of them cannot be used.
    """
    tracking.check_reachable(place.tracking_uri)
    check_storage(storage)
    check_experiment(place.tracking_uri, default_name=default_experiment)
    return None if place.outer_run_id is None else check_outer_run(place.outer_run_id, place.tracking_uri)


def started_record(storage: str, name: str) -> SearchRecord | None:
    """Return the search's record of a started sweep; None after a start that was refused or killed half-way."""
    record = find_search(storage, name)
    return record if record is not None and tags.RUN_ID in record.attributes else None


def sweep_params(sweep: Sweep, study: Study | ForeignStudy) -> dict[str, str]:
    """Return the params of the sweep's run."""
    racing = sweep.replicates.racing
    n_replicates = str(len(sweep.replicates.values)) if racing is None else f"racing, {racing.min} to {racing.max}"
    return {
        "sweep": sweep.name,
        "study": study.name,
        "sampler": sweep.sampler.name,
        "n_replicates": n_replicates,
        "objective": ", ".join(f"{o.direction} {o.metric}" for o in sweep.objectives),
        **{key: str(value) for key, value in sweep.parameters.items()},
    }


def code_of_target(
    sweep: Sweep, study: Study | ForeignStudy, root: Path, *, record: SearchRecord | None, source: str
) -> TargetCode:
    """Return the digests of what is trained.

    Files that a project's own trainings write into its folder are no code, and neither is the sweep file. So only the
    files count that were there when the sweep was first started.

    Args:
        sweep: the sweep.
        study: what it trains.
        root: of the project that asks.
        record: of the sweep if it was started before.
        source: the sweep file's path.
    """
    if isinstance(study, ForeignStudy):
        project = study.project
        if isinstance(project, CommandLine):
            return TargetCode(digest=study.code_digest)
        now = project.file_digests
        known = None if record is None else record.attributes.get(tags.CODE_FILES)
        if known is not None:
            now = {name: now.get(name, "") for name in known}
        elif record is None and len(now) <= MOST_FILES:
            own = Path(source).resolve()
            now = {name: digest for name, digest in now.items() if project.folder.resolve() / name != own}
        keeps_files = known is not None or (record is None and len(now) <= MOST_FILES)
        return TargetCode(digest=project.digest_of(now), files=now if keeps_files else {})
    function = study.function
    return TargetCode(digest=code_digest(str(sweep.study), root) if function is None else function.code_digest)


def digest_of_first_data(sweep: Sweep, study: Study | ForeignStudy) -> str | None:
    """Return the digest of the data that the first condition trains on. A missing file is noticed here.

    The data of all stages and of each value of every choice are checked, since a choice may name a file. None if it is
    not known: a foreign project does not tell its data.

    Raises:
        DataError: the data cannot be used; the message is the study's.
    """
    if isinstance(study, ForeignStudy):
        return None
    space = sweep.search_space
    probes = list(space.probes()) or [("", {})]
    conditions = [probes[0][1], *(values for name, values in probes[1:] if isinstance(space.domains[name], Choice))]
    first, *_ = [digest_of_data(study, config) for config in _of_all_stages(sweep, study, conditions)]
    return first


def rows_in_every_condition(sweep: Sweep, study: Study | ForeignStudy) -> Mapping[str, int]:
    """Return metric -> number of rows of which it is a share, if that is the same for all choices and ends of ranges.

    Raises:
        DataError: as `digest_of_first_data`.
    """
    if isinstance(study, ForeignStudy):
        return {}
    conditions = [values for _, values in sweep.search_space.probes()] or [{}]
    return rows_of_shares(study, _of_all_stages(sweep, study, conditions))


def _of_all_stages(sweep: Sweep, study: Study, conditions: Sequence[Mapping[str, Any]]) -> list[BaseModel]:
    n_stages = max(len(sweep.stages), 1)
    return [stage_config(study, sweep, stage, condition) for condition in conditions for stage in range(n_stages)]


def _longest_params(sweep: Sweep) -> Mapping[str, str]:
    """Fixed parameters, and each factor with its longest value among its choices, as runs of conditions have them."""
    choices = {name: domain for name, domain in sweep.search_space.domains.items() if isinstance(domain, Choice)}
    longest = {name: max(domain.values, key=lambda value: len(str(value))) for name, domain in choices.items()}
    return as_params({**sweep.parameters, **longest})
