"""A stranger's training: a curve of 20 steps, logged by MLflow's fluent API."""

import argparse
import random
import time

import mlflow


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, required=True)
    parser.add_argument("--seed", type=float, default=0)
    parser.add_argument("--pause", type=float, default=0.0)
    arguments = parser.parse_args()
    noise = random.Random(arguments.seed)
    with mlflow.start_run():
        for step in range(20):
            mlflow.log_metric("val_loss", (1 - arguments.lr) ** step + 0.01 * noise.random(), step=step)
            time.sleep(arguments.pause)


if __name__ == "__main__":
    main()
