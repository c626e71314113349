"""The sweeps that there are, in both databases: listed, looked at while they run, deleted.

Apart from the analysis, which reads one sweep whole: here a few queries answer for all.
"""
