"""What GLocal-K's global kernel does, from the records of the experiment `kernels`."""
