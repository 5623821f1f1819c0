"""`python -m ntkexec` is the command `ntkexec`."""

import sys

from ntkexec.cli import main

sys.exit(main())
