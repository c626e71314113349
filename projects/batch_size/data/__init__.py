"""Load the data of the study: digits, MNIST, MNIST-1M and polynomial teachers, by one configuration."""

from projects.batch_size.data.config import DataConfig
from projects.batch_size.data.dataset import Dataset
from projects.batch_size.data.load import load_dataset
from projects.files.problem import DataProblem

__all__ = ["DataConfig", "DataProblem", "Dataset", "load_dataset"]
