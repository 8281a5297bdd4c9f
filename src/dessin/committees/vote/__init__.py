"""The verb `vote`: files of answers of any tool, joined by image id, and counted."""
