"""Data files as every study needs them: downloaded with a checksum, written whole, read with clear errors.

It is no study: it has no config, no entry point and no training code, and a study takes from it what it reads.
"""
