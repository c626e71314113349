"""Publish an analysis: numbers and tables on runs, descriptions, and the report.

Analysis and report know only values; here they are read from a store and written to it.
"""
