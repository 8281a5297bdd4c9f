"""The verb `distill`: one student from a committee's soft labels; accuracy paid and speed gained."""
