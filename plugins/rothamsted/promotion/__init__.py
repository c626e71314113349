"""Promotion: move the alias of a registered model's champion, only where the evidence says so."""
