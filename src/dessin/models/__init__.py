"""Backbones, where their weights come from, heads, losses and the bundle that a model travels in."""
