"""Contract tests against other versions of the libraries whose tables we write: `python -m tests.compat`."""
