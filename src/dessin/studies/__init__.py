"""Studies: one factor at a time, planned, carried out job by job, and judged with the statistics."""
