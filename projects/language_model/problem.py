"""The error of a machine; apart, so that whoever reports it does without torch."""


class DeviceProblem(Exception):  # noqa: N818  (said of the machine, as a user reads it)
    """This machine cannot do what a config asks for: one line with field, rule, value and way out."""
