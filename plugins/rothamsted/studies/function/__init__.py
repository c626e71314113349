"""Make studies of functions: parameters are the config; what they yield, report or return are the measurements."""

from rothamsted.studies.function.made import as_study, study

__all__ = ["as_study", "study"]
