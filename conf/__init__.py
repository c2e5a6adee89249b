"""Hydra configs, installed as `glocalk.conf`."""
