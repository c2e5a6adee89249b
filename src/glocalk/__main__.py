"""`python -m glocalk …`, the same as the command `glocalk …`."""

from glocalk.cli.main import entry

if __name__ == "__main__":
    entry()
