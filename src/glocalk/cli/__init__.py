"""The command `glocalk`: thin entry points."""
