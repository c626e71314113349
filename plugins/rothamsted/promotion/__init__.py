"""Promotion: a model reaches the registry's champion alias only on evidence.

Apart from the sweep because it decides about models of any sweep, and from the statistics because it acts.
"""
