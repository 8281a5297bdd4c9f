"""Naming drawings that have no label: the most useful first, with suggestions."""
