"""Run trainings one after another in one process, as a loop in a notebook; nothing is logged.

It is a separate program (`python -m benchmarks.plain_loop`), because JAX must start in a fresh process for its start-up
to count. It prints when each training ended as one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path

from jsonargparse import auto_cli

from rothamsted.studies import set_fields


def main(*, study: str, conditions: Path) -> None:
    """Train every condition of a file.

    Args:
        study: package below `projects`, with a `STUDY` in its `__main__`.
        conditions: JSON list of objects, dotted field name -> value, seeds included.
    """
    subject = importlib.import_module(f"projects.{study}.__main__").STUDY
    ended = []
    for condition in json.loads(conditions.read_text(encoding="utf-8")):
        config = set_fields(subject.config, condition)
        history = [
            {name: float(values[0]) for name, values in measurement.metrics.items()}
            for measurement in subject.train([config])
        ]
        if not history:
            raise RuntimeError(f"study {study}: {condition} measured nothing")
        ended.append(time.time())
    print(json.dumps(ended))


if __name__ == "__main__":
    auto_cli(main)
