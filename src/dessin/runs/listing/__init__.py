"""The runs below a folder: found, filtered and listed."""
