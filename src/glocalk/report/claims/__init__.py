"""The claims of the paper's text, and what the records say about each under every protocol."""
