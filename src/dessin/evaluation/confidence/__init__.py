"""What a confidence is worth: calibration, answers withheld, images of no class. Pure functions of arrays."""
