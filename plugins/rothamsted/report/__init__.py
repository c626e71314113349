"""Plots and the report: from an analysis to pictures and one self-contained page.

Apart from the analysis because these see its values only: no store, no statistics of their own.
"""
