"""Combinations of completers: the mean of their predictions, and linear stacking."""
