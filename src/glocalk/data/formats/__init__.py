"""Readers of file formats: a module for each family, `table` for what finds the right one."""
