"""Augmentation: planned per image as numbers, applied to whole batches as tensors."""
