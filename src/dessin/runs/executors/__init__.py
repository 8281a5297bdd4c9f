"""Where jobs run: on this machine's devices, or on a Ray cluster; both call the same function."""
