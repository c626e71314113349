"""SQL on Optuna's tables."""
