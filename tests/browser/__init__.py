"""What a person sees: the MLflow UI and optuna-dashboard on a finished sweep, read through a real browser."""
