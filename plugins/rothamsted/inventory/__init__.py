"""List sweeps of both databases, show their progress, and delete them.

A few queries answer for all sweeps; the analysis reads one sweep completely.
"""
