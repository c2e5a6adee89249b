"""Predictions over HTTP: what `glocalk serve` starts. It needs the extra `serve`."""
