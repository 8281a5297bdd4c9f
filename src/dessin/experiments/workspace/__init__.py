"""A folder of runs: found, indexed, listed and compared."""
