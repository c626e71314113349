"""Runs that are trained again as they were recorded."""
