"""Files are written whole or not at all."""

import os
import pathlib
import tempfile


def write(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes a file under a name of its own first, and gives it the real one when it is complete.

    Raises:
        OSError: the file cannot be written; then nothing is left of it, and an old one stays.
    """
    target = pathlib.Path(path)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            # On the disk before it gets its name, so that a crash cannot leave an empty file there.
            file.flush()
            os.fsync(file.fileno())
        # Not the private mode of a temporary file, but that of any new one.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise
