"""The recipes and studies that come with dessin, as files: found by name, listed and copied by the verb."""
