"""From a folder to a trusted set of rows: readers, manifest, audit, duplicates, curation, split."""
