"""Read and write Optuna's tables by SQL."""
