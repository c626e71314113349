"""Make the files of a training: pictures of inputs and mistakes, a table of classes, weights.

They are drawn only on request, because drawing takes time.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
import torch

from projects.image_classifier.evaluate import Scores
from projects.image_classifier.state import Weights
from projects.pictures.confusion import class_accuracy, class_f1, confusion_png
from projects.pictures.grid import picture_grid

MOST_PICTURES = 40  # in a grid


def first_batch_png(images: torch.Tensor, labels: torch.Tensor, class_names: Sequence[str]) -> bytes:
    """Draw a batch as the network sees it, augmented.

    Args:
        images: between 0 and 1, (row, 3, side, side).
        labels: (row,), of which the class is written below.
        class_names: in the order of the labels.
    """
    pixels = (images[:MOST_PICTURES] * 255).round().clamp(0, 255).byte().cpu().numpy()
    return picture_grid(
        pixels.transpose(0, 2, 3, 1), [class_names[label] for label in map(int, labels[:MOST_PICTURES])]
    )


def ending_files(
    scores: Scores, images: np.ndarray, labels: np.ndarray, class_names: Sequence[str]
) -> dict[str, str | bytes]:
    """Make confusion matrix, the surest mistakes and a table of classes, by path.

    Args:
        scores: of the validation images.
        images: those, uint8 (row, 3, side, side).
        labels: (row,).
        class_names: in the order of the labels.
    """
    files: dict[str, str | bytes] = {
        "pictures/confusion.png": confusion_png(scores.matrix, class_names),
        "classes.csv": classes_csv(scores.matrix, class_names),
    }
    wrong = surest_mistakes(scores, labels)
    if len(wrong):
        pairs = zip(labels[wrong].tolist(), scores.predicted[wrong].tolist())
        titles = [f"{class_names[true]} as {class_names[predicted]}" for true, predicted in pairs]
        files["pictures/mistakes.png"] = picture_grid(images[wrong].transpose(0, 2, 3, 1), titles)
    return files


def surest_mistakes(scores: Scores, labels: np.ndarray) -> np.ndarray:
    """Return the rows that are predicted wrongly, the most probable first, at most MOST_PICTURES."""
    wrong = np.flatnonzero(scores.predicted != labels)
    return wrong[np.argsort(-scores.probability[wrong], kind="stable")][:MOST_PICTURES]


def classes_csv(matrix: np.ndarray, class_names: Sequence[str]) -> str:
    """Write one row a class: images, how many of them are recognised, F1, and the class it is most often taken for."""
    others = matrix - np.diag(np.diag(matrix))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["class", "images", "accuracy", "f1", "most_often_taken_for", "times"])
    for index, (accuracy, f1) in enumerate(zip(class_accuracy(matrix), class_f1(matrix))):
        most = int(others[index].argmax())
        taken_for = class_names[most] if others[index, most] else ""
        n_images = int(matrix[index].sum())
        rows.writerow([class_names[index], n_images, float(accuracy), float(f1), taken_for, int(others[index, most])])
    return text.getvalue()


def weights_file(weights: Weights) -> bytes:
    """Write weights as a safetensors file, which `model.weights` reads."""
    from safetensors.torch import save

    return save({name: value.detach().cpu().contiguous() for name, value in weights.items()})
