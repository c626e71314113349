"""Sweeps that are broken from outside, and what they leave behind, read with SQL and scipy alone."""
