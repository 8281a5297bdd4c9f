"""The subjects that can be drawn: a name, and a program of strokes with chance in it."""
