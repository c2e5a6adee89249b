"""`python -m glocalk …`, the same as the command `glocalk …`."""

import sys

from glocalk.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
