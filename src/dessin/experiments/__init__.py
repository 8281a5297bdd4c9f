"""Runs carried out and recorded: train, evaluate, scout, report, auto."""
