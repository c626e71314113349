"""Run replicated, statistically sound hyper-parameter studies on MLflow Projects, searched by Optuna.

The Python interface is the names in `__all__`. Each is imported at its first use, so that `import rothamsted` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {  # name -> module that has it
    "Metric": "rothamsted.metric",
    "Result": "rothamsted.calls.result",
    "Sweep": "rothamsted.calls.described",
    "Tracker": "rothamsted.studies.tracker",
    "UserError": "rothamsted.errors",
    "analyze": "rothamsted.calls.analyzed",
    "choice": "rothamsted.calls.spaces",
    "compare": "rothamsted.calls.compared",
    "integers": "rothamsted.calls.spaces",
    "load": "rothamsted.calls.loaded",
    "loguniform": "rothamsted.calls.spaces",
    "report": "rothamsted.reported",
    "study": "rothamsted.studies.function",
    "sweep": "rothamsted.calls.run",
    "sweeps": "rothamsted.calls.loaded",
    "uniform": "rothamsted.calls.spaces",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rothamsted' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
