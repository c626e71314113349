"""Coordinate a sweep: one process adds work, follows the workers, and writes the sweep's own run."""
