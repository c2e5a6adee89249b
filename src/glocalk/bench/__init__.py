"""Benchmarks: formulations of one evaluation, whole trainings, scaling, and libraries."""
