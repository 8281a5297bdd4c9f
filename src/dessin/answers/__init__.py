"""Who says what of which image: predictions on disk, inference, and committees as things that answer."""
