"""From a recipe to a run folder: plan, stages, attempts, record, folds, scout, trackers, listing."""
