"""Make the data of the study: text, a byte-level BPE vocabulary, and tokens in memory-mapped files."""

from projects.files.problem import DataProblem
from projects.language_model.data.tokens import Tokens, load_tokens, make_batch

__all__ = ["DataProblem", "Tokens", "load_tokens", "make_batch"]
