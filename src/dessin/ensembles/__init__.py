"""Many models as one: votes, selection, families. Pure functions of answers, and the committee's files."""
