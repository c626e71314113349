"""Define the Python interface: calls that start, load, analyse and compare sweeps, and their results."""
