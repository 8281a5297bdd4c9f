"""Parts for dessin, found by their entry points."""
