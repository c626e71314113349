"""A module of the project's own."""

import numpy as np

SHIFT = float(np.sqrt(2.0))
