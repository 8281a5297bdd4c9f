"""Generated doodles with planted faults, and the check that every fault was found."""
