"""The rating matrix as an operator with gradients, in interchangeable formulations."""
