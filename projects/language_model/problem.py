"""Define the error of a machine, without importing torch."""


class DeviceProblem(Exception):  # noqa: N818  (said of the machine, as a user reads it)
    """Says that this machine cannot do what a config asks for: one line with field, rule, value and way out."""
