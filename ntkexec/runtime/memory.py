"""How much memory there is to work with."""

import os
from collections.abc import Mapping
from pathlib import Path

from ntkexec.errors import NtkexecError

MEMORY_VARIABLE = "NTKEXEC_MEMORY"


def max_memory(environment: Mapping[str, str] = os.environ) -> int:
    """The bytes that may be used: `NTKEXEC_MEMORY`, in gigabytes, or what the machine has.

    Raises:
        NtkexecError: the variable is no positive number.
    """
    asked = environment.get(MEMORY_VARIABLE, "")
    if not asked:
        return _machine_memory()
    try:
        gigabytes = float(asked)
    except ValueError:
        gigabytes = -1.0
    if not 0 < gigabytes < 1e9:
        raise NtkexecError(f"{MEMORY_VARIABLE} is a number of gigabytes, not {asked!r}")
    return int(gigabytes * 1e9)


def _machine_memory() -> int:
    try:
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not every system says
        machine = 1 << 62
    try:
        # What a container may use, where it may not use all.
        group = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return machine
    return min(machine, int(group)) if group.isdecimal() else machine
