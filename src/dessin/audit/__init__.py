"""What should be known of a collection before training: checks, suspect labels, and the report."""
