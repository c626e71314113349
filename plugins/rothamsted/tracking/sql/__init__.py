"""SQL on MLflow's tables."""
