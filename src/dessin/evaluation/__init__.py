"""Metrics with intervals, and the prediction files."""
