"""Compute the information that discrete variables share, and its unique, redundant and synergistic parts."""

from projects.global_workspace.information.decomposition import Decomposition, decompose, decompose_samples
from projects.global_workspace.information.entropy import entropy, mutual_information

__all__ = ["Decomposition", "decompose", "decompose_samples", "entropy", "mutual_information"]
