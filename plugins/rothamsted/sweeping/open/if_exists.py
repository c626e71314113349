"""What to do where a sweep of this name was started before: go on, go on whatever the code, or take a free name."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal, get_args

from rothamsted import tags
from rothamsted.errors import ResumeError
from rothamsted.search import find_search
from rothamsted.spec import Sweep
from rothamsted.studies import Study
from rothamsted.sweeping.foreign_study import ForeignStudy
from rothamsted.sweeping.open.asked import digest_of_target, started_record

IfExists = Literal["resume", "new", "resume_with_changed_code"]
IF_EXISTS: tuple[str, ...] = get_args(IfExists)


def free_name(sweep: Sweep) -> str:
    """The name of the sweep, or the first of NAME-2, NAME-3, … that its storage does not have."""
    names = itertools.chain([sweep.name], (f"{sweep.name}-{n}" for n in itertools.count(2)))
    return next(name for name in names if find_search(sweep.storage, name) is None)


def check_code(sweep: Sweep, study: Study | ForeignStudy, root: Path) -> None:
    """Refuse to go on with other code than the last session had; where nothing was started, nothing is refused.

    Raises:
        ResumeError: says what to do.
    """
    record = started_record(sweep.storage, sweep.name)
    digests = record.attributes.get(tags.CODE_DIGESTS, []) if record is not None else []
    now = digest_of_target(sweep, study, root)
    if digests and digests[-1] != now:
        raise ResumeError(
            f"sweep '{sweep.name}' was started with other code of {study.name} (digest {digests[-1][:12]}, now "
            f"{now[:12]}): its replicates would not be comparable. Undo the change, or give if_exists='new', or "
            "if_exists='resume_with_changed_code' where the change means nothing"
        )
