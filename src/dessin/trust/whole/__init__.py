"""The verb `trust`: the whole trust card in one go."""
