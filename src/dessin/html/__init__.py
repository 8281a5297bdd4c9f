"""Self-contained pages: one base template and stylesheet, a renderer, and pictures as `data:` addresses."""
