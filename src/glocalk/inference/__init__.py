"""Predictions under the ids of the data, the model file, and tables of predictions."""
