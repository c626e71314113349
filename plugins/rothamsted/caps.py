"""How much is read of what people write: each cap is far above what sweeps have, and is checked before anything grows.

Reading takes about 50 microseconds of processor time a YAML node (a key, a value, a list), and 0.3 milliseconds a
value of Hydra's grammar. With these caps a file is refused, or read whole, within a second.
"""

from __future__ import annotations

# --- text ---
MOST_CHARACTERS = 200_000  # of a file or of a command line: a sweep file of 400 enqueued conditions has 30,000
MOST_NODES = 10_000  # of a file, with what its aliases stand for: 400 enqueued conditions of ten parameters have 8,400
MOST_DEPTH = 20  # of lists and mappings within each other: a sweep file has six
MOST_DIGITS = 100  # of a number as it is written: the longest that a computer writes out has some 25
MOST_OVERRIDES = 1_000  # KEY=VALUE of one command
MOST_OF_GRAMMAR = 5_000  # characters of Hydra's grammar: its parser takes 0.3 s for a thousand values
MOST_OF_EXPRESSION = 1_000  # characters of a score or a constraint
DEEPEST_EXPRESSION = 50  # operations within operations
MOST_OF_NAME = 250  # characters of a metric or a parameter: MLflow takes no more

# --- search space ---
MOST_PARAMETERS = 200  # of a space: a grid walks over them one within the other
MOST_CHOICES = 1_000  # values of one choice: each is tried on the study before anything runs
MOST_GRID_POINTS = 100_000  # of one range: more is a typing error in `step` or `points`
MOST_CONDITIONS = 1_000_000  # of one sweep: each is a row in two databases
MOST_BRANCHES = 10_000  # ways to switch parameters on and off by `when` that are looked through

# --- sections of a sweep file ---
MOST_ENQUEUED = 1_000  # conditions named by hand: each is tried on the study before anything runs
MOST_OBJECTIVES = 20  # the Pareto set of more holds nearly every condition
MOST_CONSTRAINTS = 100
MOST_STAGES = 20  # each is a sweep of its own, and halving a million conditions takes twenty
MOST_BYTES = 2**60  # of memory: more than any machine has
MOST_MEASUREMENTS = 1_000_000_000  # steps or measurements that a pruner, early stopping or a reduction counts

# --- what is said ---
MOST_OF_MESSAGE = 600  # characters of an error: some eight lines of a terminal
