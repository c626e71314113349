"""The batch_size study by hand, killed in its n-th measurement: `python -m tests.studies.dying_batch_size N ...`."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from projects.batch_size.__main__ import STUDY
from rothamsted.studies import main


def train(configs: Any, state: Any = None) -> Iterator[Any]:
    """Train as the study does; die when the n-th measurement has been made and is not on record yet."""
    for n_made, measurement in enumerate(STUDY.train(configs, state), start=1):
        if n_made == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield measurement


if __name__ == "__main__":
    main(dataclasses.replace(STUDY, train=train), sys.argv[2:])
