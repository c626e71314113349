"""Handle data files for all studies: download with a checksum, write completely, read with clear errors.

It is not a study: it has no config, no entry point and no training code.
"""
