"""The studio: a workspace's data, runs, studies and mistakes to look at, and a page to draw on."""
