"""How XLA compiles in the suite: quickly, since most of what it compiles runs once.

Two thirds of the suite's time was compiling. On two cores, 169 tests that compile 1,236 programs
took 144 s of processor time as the command line compiles, and 97 s like this; at level 0 a loop over
many nodes takes ten times as long.
"""

import importlib.util
import mmap
import pathlib
from collections.abc import MutableMapping

QUICKLY = {
    "xla_backend_optimization_level": "1",
    "xla_cpu_use_fusion_emitters": "false",
    "xla_cpu_parallel_codegen_split_count": "1",
}


def compile_quickly(environment: MutableMapping[str, str]) -> bool:
    """Asks XLA for it, for this process and those that it starts; it has effect before JAX starts.

    Where the environment names an optimisation level, nothing changes, and False comes out:
    `XLA_FLAGS=--xla_backend_optimization_level=2` compiles what users run.
    """
    flags = environment.get("XLA_FLAGS", "")
    if "xla_backend_optimization_level" in flags:
        return False
    asked = [f"--{name}={value}" for name, value in QUICKLY.items() if is_known(name)]
    environment["XLA_FLAGS"] = " ".join([*flags.split(), *asked])
    return True


def is_known(flag: str) -> bool:
    """Whether this XLA has a flag, in its binary's own words: it aborts at one that it has not."""
    folder = pathlib.Path(importlib.util.find_spec("jaxlib").origin).parent
    library = max(folder.glob("*.so"), key=lambda path: path.stat().st_size)
    with (
        library.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(flag.encode()) >= 0
