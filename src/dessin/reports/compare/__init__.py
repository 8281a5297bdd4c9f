"""The verb `compare`: trained models on the same images, paired."""
