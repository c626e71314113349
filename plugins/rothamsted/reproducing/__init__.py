"""Trains runs again as they were recorded, and says whether they gave the same."""
