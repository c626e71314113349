"""Decide from a policy and numbers, without any store."""
