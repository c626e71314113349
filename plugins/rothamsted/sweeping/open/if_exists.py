"""Handle a sweep name that exists: go on, go on with changed code, or take a free name."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal, get_args

from rothamsted import tags
from rothamsted.errors import ResumeError, SpecError
from rothamsted.search import check_storage, find_search
from rothamsted.spec import Sweep
from rothamsted.studies import Study
from rothamsted.suggest import known_names
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.asked import code_of_target, started_record

IfExists = Literal["resume", "new", "resume_with_changed_code"]
MOST_NAMED = 3  # files of a project that have changed
IF_EXISTS: tuple[str, ...] = get_args(IfExists)


def named(sweep: Sweep, study: Study | ForeignStudy, root: Path, if_exists: str, *, place: str) -> Sweep:
    """Return the sweep under the name that it gets.

    Args:
        sweep: the described sweep.
        study: what it trains.
        root: root of the project.
        if_exists: one of IF_EXISTS.
        place: the beginning of errors.

    Raises:
        ResumeError: it would go on with changed code.
        SpecError: `if_exists` is unknown.
    """
    if if_exists not in IF_EXISTS:
        raise SpecError(f"{place}: if_exists={if_exists!r}: {known_names(if_exists, IF_EXISTS)}")
    check_storage(sweep.storage)
    if if_exists == "new":
        return sweep.model_copy(update={"name": free_name(sweep)})
    if if_exists == "resume":
        check_code(sweep, study, root)
    return sweep


def free_name(sweep: Sweep) -> str:
    """Return the name of the sweep, or the first of NAME-2, NAME-3, … that its storage does not have."""
    names = itertools.chain([sweep.name], (f"{sweep.name}-{n}" for n in itertools.count(2)))
    return next(name for name in names if find_search(sweep.storage, name) is None)


def check_code(sweep: Sweep, study: Study | ForeignStudy, root: Path) -> None:
    """Refuse to go on with other code than the last session had. A new sweep is never refused.

    Raises:
        ResumeError: says what to do.
    """
    record = started_record(sweep.storage, sweep.name)
    digests = record.attributes.get(tags.CODE_DIGESTS, []) if record is not None else []
    if record is None or not digests:
        return
    now = code_of_target(sweep, study, root, record=record, source="")
    if digests[-1] != now.digest:
        before = record.attributes.get(tags.CODE_FILES, {})
        changed = [name for name, content in now.files.items() if name in before and before[name] != content]
        more = f" and {len(changed) - MOST_NAMED} more" if len(changed) > MOST_NAMED else ""
        what = f"changed: {', '.join(changed[:MOST_NAMED])}{more}; " if changed else ""
        raise ResumeError(
            f"sweep '{sweep.name}' was started with other code of {study.name} ({what}digest {digests[-1][:12]}, now "
            f"{now.digest[:12]}): its replicates would not be comparable. Undo the change, or give if_exists='new', or "
            "if_exists='resume_with_changed_code' if the change does not matter"
        )
