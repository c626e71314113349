"""Run the command experiment_log, which writes a sweep into the experiment log."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rothamsted.cli.arguments import pairs, take
from rothamsted.cli.screen import screen_of
from rothamsted.cli.settings import open_named
from rothamsted.errors import UserError
from rothamsted.mlproject import find_home
from rothamsted.named_files import is_folder
from rothamsted.places import command_folder

if TYPE_CHECKING:
    from rothamsted.analysis.values import Dataset
    from rothamsted.spec import Sweep


def experiment_log(arguments: Sequence[str]) -> int:
    """Write the section of a sweep into the experiment log; the same result again changes nothing."""
    found, screen = pairs(arguments, command="experiment_log"), screen_of(arguments, command="experiment_log")
    name, hypothesis, given = take(found, "sweep"), take(found, "hypothesis"), take(found, "log")
    if name is None:
        raise UserError("rothamsted experiment_log: which sweep? write rothamsted experiment_log NAME")
    if given is not None and (not given.endswith(".md") or is_folder(command_folder() / given)):
        what = "is a folder" if given.endswith(".md") else "does not end in .md"
        raise UserError(f"rothamsted experiment_log: log={given}: {what}; give a Markdown file")
    uri = open_named({"sweep": name})

    from rothamsted import tracking
    from rothamsted.analysis.read_sweep import read_sweep, read_sweep_runs
    from rothamsted.publish.experiment_log.log_file import EXPERIMENT_LOG
    from rothamsted.publish.experiment_log.write import log_sweep
    from rothamsted.sweeping.opened import Place, log_path

    dataset, sweep = read_sweep(name, uri=uri), read_sweep_runs(name, uri=uri).sweep
    root = find_home(Path.cwd())
    started = tracking.project_address(tracking.current_run_id(), uri=uri)
    place = Place(root=root, tracking_uri=uri, started=started)
    path = command_folder() / given if given is not None else log_path(sweep.log or EXPERIMENT_LOG, place)
    has_changed = log_sweep(
        path,
        dataset,
        uri=uri,
        fixed=dataset.fixed,
        hypothesis=hypothesis,
        defaults=_defaults(sweep, dataset, root),
    )
    screen.say(f"experiment log: {path}{'' if has_changed else ' has this result already'}")
    screen.give({"sweep": dataset.name, "log": str(path), "has_changed": has_changed})
    return 0


def _defaults(sweep: Sweep, dataset: Dataset, root: Path) -> dict[str, Any] | None:
    """The defaults of the sweep's study, where it is here; None where nobody can say."""
    from rothamsted.studies import find
    from rothamsted.studies.defaults import defaults_of

    if sweep.is_foreign:
        return None
    used = {**dataset.fixed, **(dataset.conditions[0].values if dataset.conditions else {})}
    with suppress(UserError):
        return defaults_of(find(str(sweep.study), root).config, used)
    return None
