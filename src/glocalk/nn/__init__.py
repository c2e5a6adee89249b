"""Kernels, layers, rating operators and the optimiser: torch alone, no Lightning, no Hydra."""
