"""The verb `mistakes`: the atlas of what a model gets wrong, and what goes with it."""
