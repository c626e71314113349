"""Load the data of the study: characters drawn from fonts, EMNIST Balanced, MNIST, by one configuration."""

from projects.emnist_mlp.data.config import DataConfig
from projects.emnist_mlp.data.dataset import Dataset, Rows
from projects.emnist_mlp.data.load import load_dataset
from projects.files.problem import DataProblem

__all__ = ["DataConfig", "DataProblem", "Dataset", "Rows", "load_dataset"]
