"""From a folder to a trusted set of rows: readers, manifest, scan, duplicates, curation, split."""
