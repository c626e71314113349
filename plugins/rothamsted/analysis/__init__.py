"""From runs in a tracking store to summaries, comparisons and tables.

Apart from the sweep because any set of MLflow runs can be analysed, whoever logged it.
"""
