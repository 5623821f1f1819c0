"""How XLA compiles in the suite: quickly, since most of what it compiles runs once.

Two thirds of the suite's time was compiling. On two cores, 169 tests that compile 1,236 programs
took 144 s of processor time as the command line compiles, and 97 s like this; at level 0 a loop over
many nodes takes ten times as long. Some folders have no such loops: they are compiled at level 0.
"""

import contextlib
import importlib.util
import mmap
import pathlib
from collections.abc import Iterator, MutableMapping

import jax

QUICKLY = {
    "xla_backend_optimization_level": "1",
    "xla_cpu_use_fusion_emitters": "false",
    "xla_cpu_parallel_codegen_split_count": "1",
}

# Folders of tests whose programs are small or run for a moment: at level 0, and without expensive
# passes of LLVM, complexity, engines, ensemble and theory took 212 s of processor time and not 315 s.
# The others keep level 1, above all programs/, whose runs are long.
HARDLY_OPTIMISED = ("complexity", "engines", "ensemble", "experiments", "theory")


def is_hardly_optimised(folder: str) -> bool:
    """Whether the programs of a folder of tests, such as `engines/packed`, are compiled at level 0."""
    return folder.split("/")[0] in HARDLY_OPTIMISED


@contextlib.contextmanager
def hardly_optimising() -> Iterator[None]:
    """JAX compiles at level 0 in this block. What is compiled already stays as it is."""
    name = "jax_disable_most_optimizations"
    before = jax.config.read(name)
    jax.config.update(name, True)
    try:
        yield
    finally:
        jax.config.update(name, before)


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
