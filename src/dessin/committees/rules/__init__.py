"""Rules that choose members and their weights, and what such a choice gives on images that it did not see."""
