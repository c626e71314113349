"""Load the data of the study: simple shapes as latents and attributes, with bits for synergy."""

from projects.files.problem import DataProblem
from projects.global_workspace.data.config import DataConfig
from projects.global_workspace.data.dataset import Split, WorkspaceData
from projects.global_workspace.data.load import load_data

__all__ = ["DataConfig", "DataProblem", "Split", "WorkspaceData", "load_data"]
