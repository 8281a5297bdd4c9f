"""The verb `card`: one page that says what a model may be trusted with."""
