"""Write first sweep files: for a study in this project, or from a file of W&B, Hydra or Optuna."""
