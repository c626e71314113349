"""scikit-learn's digits, read without importing it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from projects.files.scans import read_scans

ROOT = Path(__file__).parents[2]


def test_the_scans_are_scikit_learns_bit_for_bit() -> None:
    for ours, theirs in zip(read_scans(), load_digits(return_X_y=True), strict=True):
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)


def test_they_are_read_without_importing_scikit_learn() -> None:
    program = "import sys; from projects.files.scans import read_scans; read_scans(); print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
