"""Settings of the whole process, which only the command line makes: a library has no business to.

Nothing here imports JAX: most of it has an effect only before JAX starts.
"""

import importlib.util
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from ntkexec.errors import NtkexecError

CACHE_VARIABLE = "NTKEXEC_CACHE"
SOONER = "--xla_backend_optimization_level=2"

_SEVERAL = re.compile(r"--xla_force_host_platform_device_count=([2-9]|1\d)")
_START_XLA = "from jaxlib import xla_client; xla_client.make_cpu_client()"
_COMPLAINT = re.compile(r"^[EF]\d+ .*?(?:parse_flags_from_env|command_line_flags)\S*\] (.*)$", re.M)


def compile_sooner(environment: MutableMapping[str, str]) -> None:
    """Asks XLA to optimise at level 2, not 3, where there is a CPU alone and the user names no level.

    Level 3 spends a second and more on each loop of random numbers, for code that is no faster:
    docs/decisions/compilation.md.
    """
    flags = environment.get("XLA_FLAGS", "").strip()
    if "xla_backend_optimization_level" in flags or importlib.util.find_spec("jax_plugins"):
        return
    # Other words are the name of a file that holds the flags.
    if not flags or flags.startswith("--"):
        environment["XLA_FLAGS"] = f"{flags} {SOONER}".strip()


def check_flags(environment: Mapping[str, str]) -> None:
    """Raises NtkexecError for flags that XLA would not take: it would end this process, with status 1.

    It is asked in a process of its own, which takes a third of a second, and only where somebody has
    set flags and JAX has not started.
    """
    if "jax" in sys.modules or environment.get("XLA_FLAGS", "").strip() in ("", SOONER):
        return
    import subprocess  # only the few need it

    command = [sys.executable, "-P", "-c", _START_XLA]
    asked = subprocess.run(command, env=environment, capture_output=True, text=True)
    complaint = _COMPLAINT.search(asked.stderr)
    if asked.returncode and complaint:
        raise NtkexecError(f"a setting of XLA in the environment, XLA_FLAGS: {complaint[1]}")


def cache_folder(environment: Mapping[str, str]) -> Path | None:
    """Where compiled code is kept between processes, or None where nobody asked for that.

    Args:
        environment: `NTKEXEC_CACHE` is a folder, or 1 for the user's cache folder.
    """
    asked = environment.get(CACHE_VARIABLE, "")
    if asked in ("", "0"):
        return None
    if asked != "1":
        return Path(asked).expanduser()
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "ntkexec"


def keep_on_disk(folder: Path | None, environment: MutableMapping[str, str]) -> None:
    """Lets JAX store compiled code in a folder, and take it from there; None changes nothing.

    JAX's own format holds no pickle, but it is machine code: do not point it at a folder that others
    write.

    Args:
        folder: made if it is missing, readable by the user alone.
        environment: of this process, which JAX reads when it is imported.

    Raises:
        NtkexecError: the folder is a file, or cannot be made; or the CPU is to show several devices.
            XLA runs the collectives of a program in one order on all of them, but not of a program
            that comes from the disk: devices then wait for each other for ever.
    """
    if folder is None:
        return
    flags, devices = environment.get("XLA_FLAGS", ""), environment.get("JAX_NUM_CPU_DEVICES", "")
    if _SEVERAL.search(flags) or devices not in ("", "1"):
        raise NtkexecError(
            f"{CACHE_VARIABLE} keeps no code for several devices of a CPU: taken from the disk, it can "
            f"wait for ever; unset {CACHE_VARIABLE}, or what asks for several"
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise NtkexecError(f"{CACHE_VARIABLE}: cannot keep code in {folder}: {reason}") from error
    wanted: dict[str, str | float | int] = {
        "jax_compilation_cache_dir": os.fspath(folder),
        # Small programs are our common case: a second to compile, a hundredth to load.
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    environment.update({name.upper(): str(value) for name, value in wanted.items()})
    jax = sys.modules.get("jax")
    if jax is not None:
        for name, value in wanted.items():
            jax.config.update(name, value)
