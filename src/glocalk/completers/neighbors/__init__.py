"""Nearest neighbors: user-kNN and item-kNN."""
