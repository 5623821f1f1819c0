"""Settings of the whole process, which only the command line makes: a library has no business to.

Nothing here imports JAX: most of it has an effect only before JAX starts.
"""

import atexit
import importlib.util
import logging
import os
import re
import sys
import warnings
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from ntkexec.errors import NtkexecError
from ntkexec.runtime import kept_code, machine_kind

LOG = logging.getLogger("ntkexec")

CACHE_VARIABLE = "NTKEXEC_CACHE"
NO_FOLDERS = frozenset({"off", "no", "none", "false", "on", "yes", "true"})
"""What is said of switches in the environment, and would else be a folder where the command runs."""
CODE = "code"
"""Folder of compiled code in the user's cache folder."""
CHECKED = "rechecked"
"""Folder, beside it, that remembers which certificates were checked."""
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
    """Where commands keep what takes long to make, or None where they are to keep nothing.

    Args:
        environment: `NTKEXEC_CACHE` is a folder, or 0 for none; without it, or with 1, it is the
            user's cache folder, by the XDG Base Directory Specification.

    Raises:
        NtkexecError: nobody knows where the user's folders are, or a word such as `off`, by which
            nobody means a folder.
    """
    asked = environment.get(CACHE_VARIABLE, "")
    if asked == "0":
        return None
    if asked.lower() in NO_FOLDERS:
        raise NtkexecError(
            f"{CACHE_VARIABLE} is {asked!r}: 0 keeps nothing, 1 keeps in your own cache folder, and a "
            f"folder is another place (./{asked} is one of this name)"
        )
    try:
        if asked not in ("", "1"):
            return Path(asked).expanduser()
        base = environment.get("XDG_CACHE_HOME", "")
        return (Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()) / "ntkexec"
    except RuntimeError as error:
        raise NtkexecError(f"{CACHE_VARIABLE}: {error}") from error


def known_cache_folder(environment: Mapping[str, str]) -> Path | None:
    """The same, or None where nobody knows where the user's folders are."""
    try:
        return cache_folder(environment)
    except NtkexecError:
        return None


def keep_on_disk(environment: MutableMapping[str, str]) -> None:
    """Lets JAX take compiled code from the disk and, when the process ends, leave it there.

    Where nobody asked for that in as many words, trouble with the disk is a warning in the log, and
    nothing is kept. So it is where the environment names a cache of JAX's own. JAX's format holds
    no pickle, but it is machine code: do not name a folder that others write.

    Args:
        environment: of this process, which JAX reads when it is imported; `NTKEXEC_CACHE` is as for
            `cache_folder`.

    Raises:
        NtkexecError: `NTKEXEC_CACHE` names a folder that is a file, or cannot be made; or it is set
            and the CPU is to show several devices. XLA runs the collectives of a program in one
            order on all of them, but not of a program that comes from the disk: devices then wait
            for each other for ever.
    """
    explicit = bool(environment.get(CACHE_VARIABLE, ""))
    if not explicit and (
        environment.get("JAX_COMPILATION_CACHE_DIR") or _shows_several(environment)
    ):
        return
    try:
        if (folder := cache_folder(environment)) is None:
            return
        bench = _bench_in(folder, environment)
    except NtkexecError as error:
        if explicit:
            raise
        LOG.warning("compiled code is not kept (%s=0 asks for that): %s", CACHE_VARIABLE, error)
        return
    wanted: dict[str, str | float | int] = {
        "jax_compilation_cache_dir": os.fspath(bench.folder),
        # Small programs are our common case: a second to compile, a hundredth to load.
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
        # Nothing but entries lies on a bench, so XLA is to put none of its own files there.
        "jax_persistent_cache_enable_xla_caches": "none",
    }
    environment.update({name.upper(): str(value) for name, value in wanted.items()})
    jax = sys.modules.get("jax")
    if jax is not None:
        for name, value in wanted.items():
            jax.config.update(name, value)
    # JAX warns of every entry that does not fit on a full disk; `_leave` says it once.
    warnings.filterwarnings("ignore", "Error writing persistent compilation cache entry")
    atexit.register(_leave, bench)


def _shows_several(environment: Mapping[str, str]) -> bool:
    """Whether the CPU is to show several devices."""
    devices = environment.get("JAX_NUM_CPU_DEVICES", "")
    return bool(_SEVERAL.search(environment.get("XLA_FLAGS", ""))) or devices not in ("", "1")


def _bench_in(folder: Path, environment: Mapping[str, str]) -> kept_code.Bench:
    if _shows_several(environment):
        raise NtkexecError(
            f"{CACHE_VARIABLE} keeps no code for several devices of a CPU: taken from the disk, it can "
            f"wait for ever; unset {CACHE_VARIABLE}, or what asks for several"
        )
    try:
        return kept_code.open_bench(folder / CODE / machine_kind.name_of_kind(environment))
    except NtkexecError as error:
        raise NtkexecError(f"{CACHE_VARIABLE}: {error}") from error
    # The last two: a system without locks of files, and JAX that is no installed package.
    except (OSError, ValueError, ImportError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise NtkexecError(f"{CACHE_VARIABLE}: cannot keep code in {folder}: {reason}") from error


def _leave(bench: kept_code.Bench) -> None:
    """Keeps what the process has compiled, and makes room; trouble is told once."""
    try:
        closing = kept_code.close_bench(bench)
        kept_code.trim(bench.shelf.parent)
    except OSError as error:
        LOG.warning("compiled code could not be kept in %s: %s", bench.shelf, error)
        return
    if closing.cut:
        LOG.warning(
            "%d pieces of compiled code were not kept in %s, which had no room for all of them",
            closing.cut,
            bench.shelf,
        )
