"""Verbs that make one model of several runs: folds, ensembles, soups, students, routers with experts."""
