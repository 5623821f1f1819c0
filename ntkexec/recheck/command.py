"""The command: a certificate or a theorem, verified, and what was shown in words."""

import sys
from pathlib import Path

from . import __doc__ as usage
from .reading import MOST_BYTES, Rejected, parse, read
from .theorem import verification as theorems
from .theorem.words import lines as in_words
from .verification import verify


def main(arguments: list[str]) -> int:
    """Exit status 0 if all of it is right, 1 if not, 2 if it cannot be read."""
    try:
        if len(arguments) == 2 and not Path(arguments[0]).is_dir():
            lines = of_certificate(*map(Path, arguments))
        # Somebody's folder of that name is what is asked about.
        elif arguments == ["example"] and not Path("example").exists():
            lines = in_words(theorems.verify(theorems.EXAMPLE, None))
        elif len(arguments) in (1, 2):
            ensemble = Path(arguments[1]) if len(arguments) == 2 else None
            lines = in_words(theorems.verify(Path(arguments[0]), ensemble))
        else:
            print(usage, file=sys.stderr)
            return 2
        # Whoever closes the pipe has not read it.
        print("\n".join(lines), flush=True)
    except Rejected as reason:
        print(f"REJECTED: {shown(reason)}")
        return 1
    # Whatever goes wrong here, nothing was verified.
    except Exception as error:
        lost = error.filename if isinstance(error, FileNotFoundError) else None
        what = f"there is no {shown(lost)}" if lost else f"{type(error).__name__}: {shown(error)}"
        print(f"recheck: {what}", file=sys.stderr)
        return 2
    return 0


def of_certificate(path: Path, folder: Path) -> list[str]:
    """What a certificate shows of an ensemble."""
    data = parse(read(path.resolve(), 16 * MOST_BYTES))
    found = verify(data, folder)
    return [
        f"VERIFIED: {found.decisions:,} decisions; {found.claim}",
        f"program {found.program.digest}, ensemble {data['ensemble']}",
    ]


def shown(error: BaseException | str) -> str:
    """Its words, which may be a stranger's: in one line, and not too many."""
    return ascii(str(error)[:300])[1:-1]
