"""One function over many items: in threads here, or on a Ray cluster, with the same results."""
