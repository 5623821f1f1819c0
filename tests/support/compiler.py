"""How XLA compiles in the suite: quickly, since most of what it compiles runs once.

Two thirds of the suite's time was compiling. On two cores, 169 tests that compile 1,236 programs
took 144 s of processor time as the command line compiles, and 97 s like this; at level 0 a loop over
many nodes takes twenty times as long. So all is compiled at level 0 but long executions; without the
passes of LLVM that are expensive, five folders of small programs took 212 s and not 315 s.
"""

import contextlib
import importlib.util
import mmap
import os
import pathlib
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import jax

from ntkexec.executor import loop
from ntkexec.runtime import compilation

QUICKLY = {
    "xla_backend_optimization_level": "1",
    "xla_cpu_use_fusion_emitters": "false",
    "xla_cpu_parallel_codegen_split_count": "1",
}

# An execution looks at so many places of its encoding, over all nodes and steps, in the third of a
# second that compiling takes longer at level 1; at level 0, and a twentieth of it at level 1.
MOST_PLACES = 10_000_000


def is_short(function: Callable[..., Any], args: tuple[Any, ...]) -> bool | None:
    """Whether an execution compiles longer at level 1 than it runs at level 0; None for all else.

    Args:
        function: what is compiled.
        args: of the call.
    """
    if function is not loop._run:
        return None
    engine, graphs, _, num_steps = args
    places = sum(leaf.size for leaf in jax.tree.leaves(engine.encoding))
    return places * len(graphs.nodes) * int(num_steps) <= MOST_PLACES


@contextlib.contextmanager
def levels_by_length() -> Iterator[None]:
    """Short executions are compiled at level 0 in this block, long ones at level 1, all else as before."""
    original = compilation.call

    def call(function: Callable[..., Any], *args: Any, **static: Any) -> tuple[Any, float, float]:
        short = is_short(function, args)
        with contextlib.nullcontext() if short is None else hardly_optimising(short):
            return original(function, *args, **static)

    compilation.call = call
    try:
        yield
    finally:
        compilation.call = original


@contextlib.contextmanager
def hardly_optimising(hardly: bool = True) -> Iterator[None]:
    """JAX compiles at level 0 in this block, or does not. What is compiled already stays as it is.

    Processes that are started in it do the same: some tests compare their networks bit by bit.
    """
    name = "jax_disable_most_optimizations"
    before = jax.config.read(name), os.environ.get(name.upper())
    jax.config.update(name, hardly)
    os.environ[name.upper()] = str(int(hardly))
    try:
        yield
    finally:
        jax.config.update(name, before[0])
        if before[1] is None:
            del os.environ[name.upper()]
        else:
            os.environ[name.upper()] = before[1]


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
