"""The page "Try it": a model asked about what is drawn, pasted or uploaded."""
