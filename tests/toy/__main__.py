"""Runs the toy study by hand, as any study: `python -m tests.toy --lr 0.1`."""

from rothamsted.studies import main
from tests.toy import STUDY, Config

__all__ = ["STUDY", "Config"]

if __name__ == "__main__":
    main(STUDY)
