"""The whole path in one command, inside a budget of time."""
