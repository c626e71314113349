"""The Python interface: calls that start, load, analyse and compare sweeps, and the results that they give."""
