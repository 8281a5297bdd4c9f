"""The verb `calibrate`: how sure a model may be, when it is unsure, and what it rejects."""
