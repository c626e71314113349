"""Tests of functions as studies."""
