"""Experiment trackers: programs that show runs beside one another, such as MLflow and W&B."""
