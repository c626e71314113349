"""Information that discrete variables share, and its decomposition into unique, redundant and synergistic parts.

Apart from the study's training: it takes counts or arrays and knows nothing of shapes or workspaces.
"""

from projects.global_workspace.information.decomposition import Decomposition, decompose, decompose_samples
from projects.global_workspace.information.entropy import entropy, mutual_information

__all__ = ["Decomposition", "decompose", "decompose_samples", "entropy", "mutual_information"]
