"""Runs the sketch by hand, as any study: `python -m tests.sketch --lr 0.1`."""

from rothamsted.studies import main
from tests.sketch import STUDY, Config

__all__ = ["STUDY", "Config"]

if __name__ == "__main__":
    main(STUDY)
