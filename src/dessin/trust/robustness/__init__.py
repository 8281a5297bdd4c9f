"""What `evaluate --robustness` does: a model on drawings that are worn, moved, faded, blurred."""
