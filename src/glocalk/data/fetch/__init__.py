"""Downloads and their verification."""
