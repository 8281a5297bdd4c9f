"""Cached features, the probe and the training loop that resumes to the byte."""
