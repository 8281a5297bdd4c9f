"""The verb `route`: a router over families and experts inside them, trained, joined, and measured."""
