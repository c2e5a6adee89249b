"""Bayesian factorization machine with side information."""
