"""Splits for other libraries, and scores of the predictions that these make for them."""
