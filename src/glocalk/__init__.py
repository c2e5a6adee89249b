"""GLocal-K and the baselines of its paper, on the paper's splits, under honest protocols."""
