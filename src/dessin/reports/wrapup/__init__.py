"""The wrap-up report: what a team tried, in the order in which it tells it."""
