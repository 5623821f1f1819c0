"""The backend, registered as an installed distribution would have it, and programs without compilation."""

import contextlib
import functools
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import networkx as nx
import numpy as np

from ntkexec.networkx_backend import calls, info

ENTRY = EntryPoint(info.NAME, "ntkexec.networkx_backend.interface:BACKEND", "networkx.backends")


@contextlib.contextmanager
def registered():
    """Lets networkx find the backend inside, whether the distribution's entry points are there or not."""
    module = nx.utils.backends
    before = module.backends.get(info.NAME), module.backend_info.get(info.NAME), nx.config.backends
    call = module._dispatchable.__call__
    module.backends[info.NAME] = ENTRY
    module.backend_info[info.NAME] = info.get_info()
    others = {name: value for name, value in nx.config.backends.items() if name != info.NAME}
    nx.config.backends = nx.utils.Config(**{info.NAME: nx.utils.Config(**info.DEFAULTS)}, **others)
    module._dispatchable.__call__ = module._dispatchable._call_if_any_backends_installed
    try:
        yield
    finally:
        module._dispatchable.__call__ = call
        nx.config.backends = before[2]
        for store, value in zip((module.backends, module.backend_info), before):
            if value is None:
                del store[info.NAME]
            else:
                store[info.NAME] = value


@functools.cache
def _arrays(program):
    """By template the bits that it reads and what it wants there, and what it writes; one bit more is 1."""
    most = max(len(t.condition) for t in program.templates)
    bits = np.full((program.num_templates, most), program.layout.num_bits)
    wanted = np.ones(bits.shape, bool)
    writes = np.zeros((program.num_templates, program.layout.num_bits), np.float32)
    for index, template in enumerate(program.templates):
        for place, (bit, value) in enumerate(template.condition):
            bits[index, place], wanted[index, place] = bit, value
        writes[index, list(template.outputs)] = 1
    return bits, wanted, writes


def plain_states(instance):
    """The states at the end, by the program's own templates, step by step in NumPy."""
    program, graphs = instance.program, instance.graphs
    bits, wanted, writes = _arrays(program)
    first = program.layout.num_computation_bits
    states = np.asarray(instance.initial, bool)
    halt = None if instance.until != "halt" else program.layout.bit(instance.halt)
    before = states
    for step in range(instance.num_steps):
        if halt is not None and states[:, halt].all():
            break
        read = np.append(states, np.ones((len(states), 1), bool), axis=1)
        written = ((read[:, bits] == wanted).all(-1).astype(np.float32) @ writes) > 0
        held = written[:, first:].astype(np.uint8)
        np.add.at(held, graphs.receivers, written[graphs.senders, first:].astype(np.uint8))
        assert held.max(initial=0) <= 1
        states = np.append(written[:, :first], held > 0, axis=1)
        if instance.until == "fixed-point" and (step + 1) % program.round_length == 0:
            if np.array_equal(states, before):
                break
            before = states
    return states


def plain_run(instance, **options):
    """Stands for `ntkexec.run` where no engine is the question: nothing is learned or compiled."""
    answer = instance.decode(plain_states(instance))
    unverified = SimpleNamespace(verification=None)
    return SimpleNamespace(
        instance=instance, answer=answer, execution=unverified, certificate=None, engine="plain"
    )


@contextlib.contextmanager
def without_engines():
    """Lets the backend evaluate programs plainly inside."""
    real = calls.run
    calls.run = plain_run
    try:
        yield
    finally:
        calls.run = real
