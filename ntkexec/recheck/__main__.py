"""`python -m ntkexec.recheck CERTIFICATE ENSEMBLE_FOLDER`."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
