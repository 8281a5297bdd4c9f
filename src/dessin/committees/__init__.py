"""Many models as one: votes, ensembles, averaged weights, families, routers, students."""
