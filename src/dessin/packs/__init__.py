"""Results that travel: runs and studies packed into one file, and collected from many machines."""
