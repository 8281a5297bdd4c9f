"""The verb `families`: which classes belong together, and what a router and experts could give at most."""
