"""What a model may be trusted with: evaluation, maps, robustness, confidence, mistakes, and the card."""
