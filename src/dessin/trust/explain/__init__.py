"""The verb `explain`: where a model looks, and how faithful the maps are."""
