"""What completers that sample have in common: draws, conditional distributions, means."""
