"""Tests of the sweep file."""
