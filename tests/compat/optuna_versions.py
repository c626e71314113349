"""What `tests.compat` runs against other versions of Optuna.

The oldest that passes is 5.0. Optuna 4 has the same tables, but stores local time where 5 stores UTC, its samplers
look at constraints only where they are made with `constraints_func`, and its TPE has other defaults: a sweep would
give other conditions without a word.
"""

from __future__ import annotations

VERSIONS = ("5.0.0", "newest")
NEEDS = ("pydantic>=2.13,<3", "numpy>=2.3", "scipy>=1.17", "cmaes>=0.13", "optuna-dashboard>=0.21", "torch==2.13.0")
TESTS = (
    "tests/search/test_rows_as_optuna.py",
    "tests/search/test_storage_refusals.py",
    "tests/search/test_ask_again.py",
    "tests/search/test_queue.py",
    "tests/search/test_sampler_contract.py",
    "tests/search/test_pruner_contract.py",
)
