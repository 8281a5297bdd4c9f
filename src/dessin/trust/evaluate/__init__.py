"""The verb `evaluate`: a model, as it lies on disk, measured on its validation images or on the holdout."""
