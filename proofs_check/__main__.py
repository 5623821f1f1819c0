"""`python -m proofs_check [NAME ...]`: carries out checks and prints their verdicts."""

import argparse
import sys

from ntkexec.check import Scale, carry_out
from proofs_check import CHECKS


def main() -> int:
    """Exit status 0 if no claim fails."""
    known = {check.name: check for check in CHECKS}
    parser = argparse.ArgumentParser(prog="python -m proofs_check", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    names = parser.parse_args().names or list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no check {unknown[0]!r}; there are {', '.join(known)}")
    failed = False
    scale: Scale = "standard"
    for name in names:
        outcome = carry_out(known[name], scale)
        failed |= outcome.verdict == "fails"
        value, bound = outcome.measurement.value, outcome.check.bound
        print(f"{outcome.verdict:<13} {name}: {outcome.check.claim}")
        print(f"              {outcome.check.how}: {value:.3g}, at most {bound:.3g}")
        print(f"              source: {outcome.check.source}; bound: {outcome.check.bound_from}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
