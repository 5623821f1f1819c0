"""`python -m proofs_check` is the command `ntkexec check`."""

import sys

from ntkexec.cli import main

sys.exit(main(["check", *sys.argv[1:]]))
