"""Where ratings come from: readers of each data set, the rating matrix, its splits."""
