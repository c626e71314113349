"""A function as a study: its parameters are the config, what it yields, reports or returns are the measurements."""

from rothamsted.studies.function.made import as_study, study

__all__ = ["as_study", "study"]
