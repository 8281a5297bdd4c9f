"""Folds and a locked holdout: planned, written, read back and checked against the manifest."""
