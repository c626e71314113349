"""Measure what one GPU gives the studies: populations by vmap, the language model in bfloat16, EfficientNet-B0.

    python -m benchmarks.device --json device.json          # on a machine with a GPU; under five minutes
    python -m benchmarks.device --device cpu --quick        # anywhere, tiny: shows that the script works

It needs this repository and its extra `studies`, with a torch and a JAX (`jax[cuda13]`) that find the GPU.
Without a GPU it says so and ends with status 2. A part that cannot run is a line below the table.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else JAX leaves torch nothing of the device

import jax
import numpy as np
import torch

from benchmarks import images, language_model, plain_images
from benchmarks.report import Figure
from projects.batch_size.config import RTOL
from projects.batch_size.config import Config as Perceptron
from projects.batch_size.train import train as train_perceptrons
from projects.files.problem import DataProblem
from projects.image_classifier.config import Config as Pictures
from projects.image_classifier.data.load import load_images
from projects.image_classifier.train import train as train_on_pictures
from projects.language_model.config import Config as Transformer
from projects.language_model.problem import DeviceProblem

NO_GPU = 2  # the exit status
N_ALONE = 4  # members that train one at a time as well
# The shape of projects/language_model/configs/tinystories_17m.yaml: 17.57 M parameters in matrices.
SHAPE_17M = {"vocab_size": 10_000, "context_length": 256, "d_model": 512, "num_layers": 4, "num_heads": 16}
TINY_SHAPE = {"vocab_size": 512, "context_length": 16, "d_model": 32, "num_layers": 1, "num_heads": 2}
N_TOKENS = 2_000_000  # drawn at random: they cost what text costs


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Says how much is measured."""

    populations: tuple[int, ...] = (1, 4, 16, 64, 256, 1024)
    perceptron: dict[str, Any]
    n_stretches: int  # of ten updates each
    transformer: dict[str, Any]
    n_rounds: int  # pairs of trainings on images
    pictures: dict[str, Any]


WHOLE = Sizes(
    perceptron={"width": 128, "batch_size": 64, "steps": 500},
    n_stretches=8,
    transformer={**SHAPE_17M, "d_ff": 1344, "batch_size": 128, "dtype": "bfloat16"},
    n_rounds=3,
    pictures={"epochs": 4, "batch_size": 128, "precision": "bfloat16"},
)
QUICK = Sizes(
    populations=(1, 4),
    perceptron={"width": 16, "batch_size": 32, "steps": 20},
    n_stretches=1,
    transformer={**TINY_SHAPE, "batch_size": 2},
    n_rounds=1,
    pictures={"epochs": 1, "batch_size": 16, "data": {"n_train": 32, "n_val": 16}},
)


def population_figures(sizes: Sizes) -> list[Figure]:
    """Measure members a second of each population over one at a time, and how far their metrics are apart.

    Every compiled call runs once before it is timed. Learning rates are far from the edge of stability, where rounding
    would decide.
    """
    rates = np.geomspace(0.02, 0.2, max(sizes.populations))
    spread = np.random.default_rng(0).permutation(rates)  # so that a small population has small and large ones
    members = [
        Perceptron.model_validate({**sizes.perceptron, "seed": k, "optimizer": {"lr": float(lr)}})
        for k, lr in enumerate(spread)
    ]
    alone = members[: min(N_ALONE, len(members))]
    _trained(alone[:1])  # compiles
    results = [_trained([member]) for member in alone]
    seconds = statistics.median(taken for taken, _ in results)
    one = np.concatenate([metrics for _, metrics in results])  # (member, measurement, metric)
    found = [Figure(name="one member at a time", value=1 / seconds, unit="members/s", note=f"median of {len(alone)}")]
    for size in sizes.populations[1:]:
        compiling, _ = _trained(members[:size])
        taken, metrics = _trained(members[:size])
        shared = min(size, len(one))
        apart = float(np.nanmax(np.abs(metrics[:shared] - one[:shared]) / np.abs(one[:shared]).clip(1e-12)))
        rate = size / taken
        note = f"{rate:.4g} members/s; {compiling - taken:.1f} s to compile; metrics apart by {apart:.1e}"
        found.append(Figure(name=f"population of {size:,}", value=rate * seconds, unit="x one at a time", note=note))
        found.append(Figure(name=f"population of {size:,}: metrics", value=apart, unit="relative", at_most=RTOL))
    return found


def _trained(configs: Sequence[Perceptron]) -> tuple[float, np.ndarray]:
    """Seconds of a whole training, and its metrics: (member, measurement, metric)."""
    began = time.perf_counter()
    points = [measurement.metrics for measurement in train_perceptrons(configs) if measurement is not None]
    taken = time.perf_counter() - began
    table = [[np.broadcast_to(point[name], len(configs)) for name in sorted(point)] for point in points]
    return taken, np.array(table).transpose(2, 0, 1)


def transformer_figures(sizes: Sizes, device: str, *, is_compiled: bool) -> list[Figure]:
    """Measure updates of the study and of a plain loop, over random tokens."""
    with TemporaryDirectory() as folder:
        paths = {part: Path(folder) / f"{part}.bin" for part in ("train", "val")}
        rng = np.random.default_rng(0)
        for path in paths.values():
            rng.integers(0, sizes.transformer["vocab_size"], N_TOKENS, dtype=np.uint16).tofile(path)
        config = Transformer.model_validate(
            {
                **sizes.transformer,
                "dataset": "random",
                "train_data_path": str(paths["train"]),
                "val_data_path": str(paths["val"]),
                "device": device,
                "compile": is_compiled,
                "max_iterations": 10 * (sizes.n_stretches + 1),
                "warmup_iters": 1,
                "sample_tokens": 0,
            }
        )
        return language_model.update_figures(config, language_model.update_costs(config, sizes.n_stretches))


def picture_figures(sizes: Sizes, device: str) -> list[Figure]:
    """Measure whole trainings of EfficientNet-B0, measuring included, and of a plain loop."""
    config = Pictures.model_validate({**sizes.pictures, "device": device, "model": {"family": "efficientnet_b0"}})
    images.run_to_its_end(train_on_pictures([config.model_copy(update={"epochs": 1})]))  # makes pictures, warms
    pairs = images.in_turn(
        lambda: images.run_to_its_end(train_on_pictures([config])),
        lambda: plain_images.classify_images(config),
        sizes.n_rounds,
    )
    n_images = config.epochs * len(load_images(config.data).train.labels)
    study, plain = (n_images / statistics.median(pair[way].wall_seconds for pair in pairs) for way in (0, 1))
    side, note = config.data.image_size, f"median of {len(pairs)} pairs in turn"
    return [
        Figure(
            name="EfficientNet-B0: plain loop", value=plain, unit="images/s", note=f"{side} x {side} pixels; {note}"
        ),
        Figure(name="EfficientNet-B0: study", value=study, unit="images/s", note=f"measuring included; {note}"),
        Figure(
            name="EfficientNet-B0: study / plain loop, wall", value=images.ratio_of(pairs, "wall_seconds"), unit="x"
        ),
    ]


def gpu_name() -> str | None:
    """Name the GPU that torch or JAX finds; None if neither finds one."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return jax.devices()[0].device_kind if jax.default_backend() == "gpu" else None


def measure(sizes: Sizes, device: str, *, is_compiled: bool) -> tuple[list[Figure], list[str]]:
    """Measure all three parts: return their figures, and one line for each part that cannot run."""
    parts: dict[str, Callable[[], list[Figure]]] = {
        "populations": lambda: population_figures(sizes),
        "language model": lambda: transformer_figures(sizes, device, is_compiled=is_compiled),
        "EfficientNet-B0": lambda: picture_figures(sizes, device),
    }
    blind = {name: device == "cuda" and not torch.cuda.is_available() for name in parts}
    blind["populations"] = device == "cuda" and jax.default_backend() != "gpu"
    found, problems = [], []
    for name, part in parts.items():
        if blind[name]:
            library = "JAX (pip install 'jax[cuda13]')" if name == "populations" else "torch"
            problems.append(f"{name}: not measured, {library} finds no GPU")
            continue
        try:
            found += part()
        except (DeviceProblem, DataProblem, torch.OutOfMemoryError, jax.errors.JaxRuntimeError) as error:
            problems.append(f"{name}: not measured, {str(error).splitlines()[0]}")
    return found, problems


def markdown(figures: Sequence[Figure]) -> str:
    """Write the table."""
    lines = ["| figure | value | target | how |", "|---|---|---|---|"]
    for figure in figures:
        verdict = {True: "reached", False: "**missed**", None: ""}[figure.is_reached]
        target = "" if figure.at_most is None else f"at most {figure.at_most:g}: {verdict}"
        lines.append(f"| {figure.name} | {figure.value:.4g} {figure.unit} | {target} | {figure.note} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 2 where there is no GPU, 1 where a part could not run."""
    options = _options(arguments)
    if options.device == "cpu":
        jax.config.update("jax_platforms", "cpu")  # before JAX looks for devices
    card = gpu_name()
    if card is None and not (options.device == "cpu" and options.quick):
        print("no GPU here: neither torch nor JAX finds one; --device cpu --quick shows that the script works")
        return NO_GPU
    device = options.device if options.device != "auto" else "cuda"
    began = time.monotonic()
    found, problems = measure(QUICK if options.quick else WHOLE, device, is_compiled=options.compile)
    name = card if device == "cuda" else "CPU, tiny sizes"
    title = f"{name}; JAX {jax.__version__}, torch {torch.__version__}; {time.monotonic() - began:.0f} s"
    print("\n".join([title, "", markdown(found), *problems]))
    if options.json is not None:
        document = {"device": title, "figures": [asdict(figure) for figure in found], "problems": problems}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 1 if problems else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.device", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", choices=["auto", "cuda", "cpu"], default="auto", help="auto: the GPU")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    parser.add_argument("--compile", action="store_true", help="the language model by torch.compile, minutes more")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args(arguments)
    if options.device == "cpu" and not options.quick:
        parser.error("--device cpu needs --quick: the whole sizes take hours on a CPU")
    return options


if __name__ == "__main__":
    sys.exit(main())
