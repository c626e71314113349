"""Set caps on what is read from users: each is far above what sweeps need, and is checked before anything grows.

Reading takes about 50 microseconds of processor time for a YAML node (a key, a value, a list), and 0.3 milliseconds for
a value of Hydra's grammar. With these caps a file is refused or read within a second.
"""

from __future__ import annotations

# --- text ---
MOST_CHARACTERS = 200_000  # of a file or of a command line: a sweep file of 400 enqueued conditions has 30,000
MOST_NODES = 10_000  # of a file, with what its aliases stand for: 400 enqueued conditions of ten parameters have 8,400
MOST_DEPTH = 20  # of lists and mappings within each other: a sweep file has six
MOST_DIGITS = 100  # of a number as it is written: the longest that a computer writes out has some 25
MOST_OVERRIDES = 1_000  # KEY=VALUE of one command
MOST_OF_KEY = 250  # characters of its KEY: MLflow takes no longer name of a parameter
MOST_OF_GRAMMAR = 5_000  # characters of Hydra's grammar: its parser takes 0.3 s for a thousand values
MOST_OF_EXPRESSION = 1_000  # characters of a score or a constraint
DEEPEST_EXPRESSION = 50  # operations within operations

# --- search space ---
MOST_PARAMETERS = 100  # of a space: a grid walks over them one within the other
MOST_CHOICES = 1_000  # values of one choice: each is tried on the study before anything runs
MOST_GRID_POINTS = 100_000  # of one range: more is a typing error in `step` or `points`
MOST_CONDITIONS = 1_000_000  # of one sweep: each is a row in two databases
MOST_SWITCHED = 40_000  # times that is asked whether a `when` holds: some 5 microseconds each

# --- sections of a sweep file ---
MOST_ENQUEUED = 1_000  # conditions named by hand: each is tried on the study before anything runs
MOST_BY_HAND = 10_000  # trainings of one `train -m`: more want a sweep, which goes on where it stopped
MOST_TRIED = 4_000  # conditions, over all stages, that the study judges before anything runs: a millisecond each
MOST_REPLICATES = 10_000  # of one condition
MOST_WORKERS = 10_000  # of one sweep, on a cluster; a process each
MOST_LOCAL_WORKERS = 1_000  # processes of one machine: each takes some 100 MB
MOST_IN_POPULATION = 100_000  # replicates in one compiled call
MOST_STEPS = 10**12  # of a patience, a window or a pruner's option: more than any training has
MOST_DEVICES = 1_000  # GPUs of one machine, and their numbers
MOST_OF_RESOURCE = 10**9  # of a resource that is no memory
MOST_OBJECTIVES = 20  # the Pareto set of more holds nearly every condition
MOST_CONSTRAINTS = 100
MOST_STAGES = 20  # each is a sweep of its own, and halving a million conditions takes twenty
MOST_BYTES = 2**60  # of memory: more than any machine has
MOST_SECONDS = 10**9  # of a duration: thirty years

# --- what is said ---
MOST_OF_MESSAGE = 600  # characters of an error: some eight lines of a terminal

# --- runs that are brought in from elsewhere ---
MOST_OF_HISTORY = 4 << 30  # bytes of one file of a run, read line by line: a hundred million points
MOST_OF_LINE = 16 << 20  # bytes of one line or record of it
MOST_OF_TABLE = 128 << 20  # bytes of a table of runs, which is read whole: in memory it takes 20 times as much
MOST_OF_CONFIG = 4 << 20  # bytes of a run's configuration
MOST_KEPT_FILE = 16 << 20  # bytes of a file that becomes an artifact
MOST_LOOKED_AT = 2_000_000  # files and folders below the one that is given
MOST_IMPORTED_NAMES = 5_000  # params of a run, and metrics
MOST_OF_ANSWER = 256 << 20  # bytes of one answer of a server: a page of 50 runs with their configurations has some
MOST_FETCHED = 4 << 30  # bytes of a download, and twice that once it is unpacked
