"""Promote models: move the champion's alias of a registered model if the evidence says so."""
