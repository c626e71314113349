"""Measure what the engine costs. Run these by hand, such as `python -m benchmarks.overhead`; tests judge no times.

A time depends on the machine: tests check only that these programs run. README.md beside this file says how to run
each, and what each measures.
"""
