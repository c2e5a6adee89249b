"""Predictions under the ids of the data, and the model file."""
