"""A function run in fresh processes that have several host devices each, joined by JAX where asked.

How many devices a CPU shows JAX must be said before JAX starts, so it takes a process of its own. A
child gets a function by the name of its module, arguments and results as files without pickle, and
the settings of XLA that its parent has. Its processor time counts as its parent's, which waits for it;
whatever happens, it and its process group (what it starts, unless that is detached) end before the call
does, and so does a child whose parent was killed.

Programs of several devices are compiled anew in every child. XLA for CPUs orders the collectives of a
program by a resource that they share, and a program that comes out of JAX's compilation cache has lost
it (jaxlib 0.10.2): devices then run independent collectives in different orders, wait for each other
until XLA ends the process after 40 seconds, or take each other's numbers.
"""

import contextlib
import math
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

from experiments.files.words import quoted
from experiments.kits.mesh.parcels import pack, unpack
from experiments.kits.mesh.processes import run_side_by_side
from ntkexec.errors import ExperimentError

SCRIPT = """
import os, traceback
def end(joining, answering):
    try:
        from {here} import {joined}, {answer}
        {joined}(*joining)
        from {module} import {name}
        {answer}({name}, *answering)
        if joining[1] == 1:
            os._exit(0)  # it has answered; what it left running does not keep it
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # nor does it wait for its siblings, as it would at its usual end
"""
HOST_DEVICES = "--xla_force_host_platform_device_count"


def run_with_devices(
    function: Callable[..., Any],
    *arguments: Any,
    devices: int,
    processes: int = 1,
    seconds: float = 300.0,
    here: bool = False,
) -> Any:
    """What a function returns in a fresh process with several host devices, or in several such.

    Args:
        function: at the top level of a module that can be imported. Where there are several processes,
            every one calls it, and JAX has been told of the others before.
        arguments: of what JSON can hold and of NumPy's or JAX's arrays, nested at will.
        devices: of each process; `jax.devices()` are those of all.
        processes: joined by `jax.distributed` over the loopback, with gloo's collectives.
        seconds: after which all are stopped.
        here: whether no process is started where this one has exactly that many devices.

    Returns:
        What the function returned, in the first process: plain data and NumPy arrays, tuples as lists.
        What it prints is shown where it fails, the last lines of it.

    Raises:
        ExperimentError: a child failed, with its last lines; or it took too long; or the function,
            an argument or the result is not what was asked for.
    """
    if devices < 1 or processes < 1:
        raise ExperimentError(
            f"at least one device and one process are needed, not {devices} and {processes}"
        )
    if not 0 < seconds < math.inf:
        raise ExperimentError(f"a child may take some seconds, not {seconds}")
    module, name = (getattr(function, word, "") for word in ("__module__", "__qualname__"))
    if module == "__main__":
        raise ExperimentError(
            f"{quoted(function)} is of the script itself, which another process cannot import; one in a "
            "module, a file of its own, can"
        )
    if not name.isidentifier():
        raise ExperimentError(
            f"{quoted(function)} cannot be imported by another process; a function at the top level "
            "of a module can"
        )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pack(folder / "arguments", list(arguments))
        if here and processes == 1 and len(jax.devices()) == devices:
            pack(folder / "result", function(*unpack(folder / "arguments")))
            return unpack(folder / "result")
        script = SCRIPT.format(
            here=__name__,
            joined=_joined.__name__,
            answer=_answer.__name__,
            module=module,
            name=name,
        )
        with _reserved_port() as port:
            scripts = [
                f"{script}end({(port, processes, index, int(seconds) + 1)}, {(str(folder), index)})\n"
                for index in range(processes)
            ]
            run_side_by_side(
                scripts,
                folder,
                _environment(devices),
                seconds=seconds,
                what=f"{module}.{name}",
            )
        if not (folder / "result").exists():
            raise ExperimentError(f"{module}.{name} ended its process before it returned anything")
        return unpack(folder / "result")


def _joined(port: int, processes: int, index: int, seconds: int) -> None:
    """Lets this process end with its parent, and joins it with its siblings."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if processes > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(
            f"127.0.0.1:{port}", processes, index, initialization_timeout=seconds
        )


def _answer(function: Callable[..., Any], folder: str, index: int) -> None:
    """Calls the function of the parent; the first process keeps what comes out."""
    result = function(*unpack(Path(folder) / "arguments"))
    if index == 0:
        pack(Path(folder) / "result", result)


def _end_with_parent() -> None:
    """Ends this process when its input does, which the parent holds open while it lives."""
    while os.read(0, 1):  # not by `sys.stdin`, whose lock would be held when the interpreter ends
        pass
    os.killpg(os.getpgid(0), signal.SIGKILL)


@contextlib.contextmanager
def _reserved_port() -> Iterator[int]:
    """A free port of the loopback that nobody else is given meanwhile, and a child may listen at."""
    with socket.socket() as holder:
        if hasattr(socket, "SO_REUSEPORT"):  # as the server of `jax.distributed` sets it, too
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def _environment(devices: int) -> dict[str, str]:
    """This process's environment, with its settings of JAX, and a CPU that shows several devices."""
    flags = os.environ.get("XLA_FLAGS", "").strip()
    if flags and not flags.startswith("-"):  # then it names a file of flags
        flags = Path(flags).read_text()
    others = [word for word in flags.split() if not word.startswith(HOST_DEVICES)]
    home = str(Path(__file__).parents[3])
    found = {**os.environ, "JAX_PLATFORMS": "cpu"}
    found.pop("JAX_NUM_CPU_DEVICES", None)  # it and the flag exclude each other
    found["XLA_FLAGS"] = " ".join([*others, f"{HOST_DEVICES}={devices}"])
    found["JAX_ENABLE_COMPILATION_CACHE"] = "false"  # see above
    found["PYTHONPATH"] = os.pathsep.join([home, *(path or os.getcwd() for path in sys.path)])
    return found
