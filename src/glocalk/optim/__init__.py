"""Optimizers: L-BFGS and its line search, weight averaging."""
