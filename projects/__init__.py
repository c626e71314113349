"""Contain the studies: one package each, found through MLproject, never installed."""
