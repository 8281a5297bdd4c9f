"""Maps of what a classifier looks at, and whether they tell the truth."""
