"""The one error of data files; apart, so that every reader can raise it without a cycle."""


class DataProblem(Exception):  # noqa: N818  (said of data, as a user reads it)
    """A data file or data setting that cannot be used: one line with file, rule, value and way out."""
