"""Compiled sparse kernels (numba) on arrays. No autograd, no models."""
