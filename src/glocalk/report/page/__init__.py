"""The page `index.html`: every report in one self-contained file."""
