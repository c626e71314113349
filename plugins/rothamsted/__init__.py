"""Replicated, statistically sound hyper-parameter studies on MLflow Projects, searched by Optuna."""

__version__ = "0.1.0"
