"""The verb `push`: a model to the hub, with a README made from its trust card."""
