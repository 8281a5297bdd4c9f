"""Estimates with intervals, paired differences and verdicts: pure functions of arrays."""
