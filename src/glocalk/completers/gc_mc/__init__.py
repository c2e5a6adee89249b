"""GC-MC: graph convolution over rating levels."""
