"""What compiled code depends on besides its program: who compiled it, for which processor, told what.

Nothing here imports JAX.
"""

import contextlib
import hashlib
import platform
from collections.abc import Mapping
from pathlib import Path

COMPILERS = ("jax", "jaxlib")
CPUINFO = Path("/proc/cpuinfo")

# Lines that say what a processor can do, on x86, ARM, POWER and RISC-V, or which code suits it.
_FEATURES = {
    *("vendor_id", "cpu family", "model", "model name", "stepping", "flags"),
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features"),
    *("cpu", "isa", "uarch"),
}


def processor(cpuinfo: Path = CPUINFO) -> str:
    """What the processor can do, in whatever words the system has for it.

    Where the system does not say, the machine's name stands for it: code is then shared with no
    other machine.

    Args:
        cpuinfo: where Linux says it; the first processor speaks for all, as the system shows a
            program what all of them can do.
    """
    found: list[str] = []
    with (
        contextlib.suppress(OSError),
        cpuinfo.open(encoding="utf-8", errors="replace") as lines,
    ):
        for line in lines:
            name, _, value = (part.strip() for part in line.partition(":"))
            if not name and found:
                break
            if name in _FEATURES:
                found.append(f"{name}={value}")
    return "\n".join((platform.machine(), *(found or platform.uname())))


def name_of_kind(environment: Mapping[str, str], cpuinfo: Path = CPUINFO) -> str:
    """A folder's name: equal where compiled code may be shared, and otherwise not.

    JAX's own key of an entry covers the program, the options and the kind of device, but not what
    the host's processor can do; a home that several machines share would mix them.

    Args:
        environment: of this process; XLA_FLAGS may be flags or name a file of them.
        cpuinfo: see `processor`.

    Raises:
        importlib.metadata.PackageNotFoundError: JAX is not installed as a package.
    """
    import importlib.metadata  # it takes a while, and only those who keep code need it

    versions = [f"{name} {importlib.metadata.version(name)}" for name in COMPILERS]
    flags = environment.get("XLA_FLAGS", "").strip()
    if flags and not flags.startswith("--"):
        with contextlib.suppress(OSError, ValueError):  # XLA refuses a file that is not there
            flags += "\n" + Path(flags).read_text(encoding="utf-8", errors="replace")
    said = "\0".join((*versions, processor(cpuinfo), flags))
    return f"{versions[0].replace(' ', '-')}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
