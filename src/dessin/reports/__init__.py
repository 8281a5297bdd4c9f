"""Pages about runs and studies: a run's report, comparisons, and the wrap-up."""
