"""Evaluate a network on a part of the images: loss, predictions and derived metrics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from projects.image_classifier.config import Config
from projects.image_classifier.device import Images, mixed
from projects.image_classifier.epoch import Prepare
from projects.pictures.confusion import confusion_matrix

MOST_ROWS = 128  # in one pass; bounds memory


class Scores(NamedTuple):
    """Holds the results of a network on some images."""

    loss: float  # cross-entropy, mean over images, without smoothing and class weights
    accuracy: float
    matrix: np.ndarray  # int64 (class, predicted class)
    predicted: np.ndarray  # int64 (row,)
    probability: np.ndarray  # float32 (row,), of the predicted class


@torch.inference_mode()
def evaluate(network: nn.Module, images: Images, prepare: Prepare, config: Config, n_classes: int) -> Scores:
    """Measure a network on all images of a part, without augmentation; dropout is off, batch statistics are kept."""
    network.eval()
    device, scores = images.labels.device, []
    for batch in images.images.split(MOST_ROWS):
        with mixed(config, device):
            scores.append(network(prepare(batch.to(device).float().div_(255))).float())
    all_scores = torch.cat(scores)  # (row, class)
    loss = float(functional.cross_entropy(all_scores, images.labels))
    probability, predicted = (part.cpu().numpy() for part in all_scores.softmax(1).max(1))
    true = images.labels.cpu().numpy()
    matrix = confusion_matrix(true, predicted, n_classes)
    return Scores(loss, float(np.trace(matrix) / matrix.sum()), matrix, predicted, probability)
