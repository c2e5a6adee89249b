"""Errors that a user can cause, each one clear sentence that names the thing and the mend."""


class GlocalkError(Exception):
    """The message is one sentence for the user; the command line prints it and exits with 1."""


class MissingDataError(GlocalkError):
    """A data set's files are not in the data folder and could not be had from anywhere else."""
