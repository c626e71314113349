"""The toy project, empty."""

from tests.sweeping.conftest import empty_project, project

__all__ = ["empty_project", "project"]
