"""Train one config of a study in a separate process and folder: `python -m rothamsted.reproducing.child`.

It reads what to train as JSON from standard input, and writes the result to the file named there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rothamsted.errors import UserError
from rothamsted.records import Ending, Measured
from rothamsted.reproducing.recorded import points_of
from rothamsted.spec import Sweep, from_resolved
from rothamsted.studies import Study, digest_of_data, drive, find, machine_facts, set_fields
from rothamsted.studies.final_state import final_state
from rothamsted.studies.source_code import code_digest
from rothamsted.sweeping.scores import keep_of, scored


def main() -> None:
    """Train what standard input asks for; a mistake of the user is what came of it."""
    asked = json.load(sys.stdin)
    try:
        came = trained(asked)
    except UserError as error:
        came = {"error": str(error)}
    Path(asked["output"]).write_text(json.dumps(came), encoding="utf-8")


def trained(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Train, and give what came of it as plain values.

    Args:
        asked: study (its target), config (field -> value), sweep (as recorded, or None), to_step (the last that is
            wanted, or None: to the end).

    Raises:
        UserError: there is no such study, it takes no such config, or its data cannot be read.
    """
    root = Path.cwd()
    study = find(asked["study"], root)
    config = set_fields(study.config, asked["config"], place="reproduce")
    sweep = None if asked["sweep"] is None else from_resolved(asked["sweep"])
    ending = _drive(study, config, sweep, asked["to_step"])
    points = points_of([measured if sweep is None else scored(measured, sweep) for measured in ending.history])
    return {
        "points": [[step, name, value] for (step, name), value in points.items()],
        "outcome": ending.outcome.value,
        "reason": ending.reason,
        "final_state": final_state(ending.model),
        "rtol": study.rtol,
        "code_digest": code_digest(asked["study"], root),
        "data_digest": digest_of_data(study, config) or "",
        "facts": machine_facts(),
    }


def _drive(study: Study, config: Any, sweep: Sweep | None, to_step: int | None) -> Ending:
    seen = -1

    def hear(_: int, measured: Measured) -> None:
        nonlocal seen
        seen = measured.step

    keep = keep_of(sweep) if sweep is not None else study.keeps(config) if study.keeps else None
    return drive(
        study,
        [config],
        on_measurement=hear,
        should_stop=lambda: to_step is not None and seen >= to_step,
        keep=keep,
    )[0]


if __name__ == "__main__":
    main()
