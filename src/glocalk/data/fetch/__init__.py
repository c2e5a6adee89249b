"""Downloads: which files a data set consists of, where they come from, and their verification.

Nothing here knows a particular data set: each states its files, checksums and places in its own
module of `glocalk.data.datasets`.
"""
