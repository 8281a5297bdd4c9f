"""Folds and a locked holdout: planned, written, read back and checked against the manifest."""

from __future__ import annotations

from dessin.collection.grouping import group_images
from dessin.collection.split.files import check_split, read_split, write_split
from dessin.collection.split.plan import make_split, plan_split
from dessin.collection.split.report import class_counts, describe_split, unbalanced
from dessin.collection.split.table import Assignment, Split
from dessin.collection.split.verb import split

__all__ = [
    "Assignment",
    "Split",
    "check_split",
    "class_counts",
    "describe_split",
    "group_images",
    "make_split",
    "plan_split",
    "read_split",
    "split",
    "unbalanced",
    "write_split",
]
