"""How fast and how large: the exact formulations against each other, trainings, scaling."""
