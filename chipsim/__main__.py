"""``python -m chipsim``: the same as the console script ``chipsim``."""

import sys

from chipsim.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
