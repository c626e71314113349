"""Sweep files to begin with: for a study that is here, or out of a file of W&B, Hydra or Optuna."""
