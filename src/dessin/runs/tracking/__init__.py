"""Trackers that a run's curve and results are sent to beside its own files."""
