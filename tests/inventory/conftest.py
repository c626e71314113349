"""The toy project of the sweeps' tests."""

from tests.sweeping.conftest import empty_project, home, project

__all__ = ["empty_project", "home", "project"]
