"""Small learning problems and weights that several tests of ensembles share."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from ntkexec.engines import trained
from ntkexec.engines.trained import uncertified_engine
from ntkexec.ensemble.training import Chunk, chunks, train_chunk
from ntkexec.ensemble.weights import Weights, join
from ntkexec.executor.protocol import decide_states
from ntkexec.program.fields import Flag
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template

EPS32 = float(np.finfo(np.float32).eps)


def program(outputs, *, conditions=None, unwritten=0):
    """Template i matches if bit i is 1, and writes the flags `outputs[i]`.

    Args:
        outputs: by template, which flags it writes.
        conditions: by template, other conditions than {i: 1}; their bits lie before the flags.
        unwritten: flags that nothing writes.
    """
    size, flags = len(outputs), 1 + max(max(written) for written in outputs)
    layout = Layout(
        (
            *(Flag(f"x{i}") for i in range(size)),
            *(Flag(f"f{i}") for i in range(flags)),
            *(Flag(f"unused{i}") for i in range(unwritten)),
        )
    )
    conditions = conditions or [{i: 1} for i in range(size)]
    return Program(
        "example",
        layout,
        tuple(
            template(when, [size + flag for flag in written], f"t{i}")
            for i, (when, written) in enumerate(zip(conditions, outputs))
        ),
    )


# Bits with 2, 2, 1, 2 and 1 writers, one template among them shared: stacks of two sizes.
MIXED = program([[0], [0, 1], [1], [2], [3], [3], [4]], unwritten=1)


def train_at_once(problem, config):
    """Weights by stack, every chunk trained with the default budget."""
    return tuple(
        join([train_chunk(problem, config, c) for c in chunks(problem, config) if c.stack == index])
        for index in range(len(problem.stacks))
    )


def member_outputs(weights, config, member, component, inputs):
    """Outputs of one network in float64, by rows of `inputs`; the formula, in NumPy."""
    hidden = weights.hidden[member, component].astype(np.float64)
    output = weights.output[member, component].astype(np.float64)
    before = config.weight_std * inputs @ hidden / np.sqrt(len(hidden))
    if weights.hidden_bias is not None:
        before += config.bias_std * weights.hidden_bias[member, component]
    after = config.weight_std * np.maximum(before, 0) @ output / np.sqrt(len(output))
    if weights.hidden_shift is not None:
        shift = weights.hidden_shift[member, component].astype(np.float64)
        moved = config.weight_std * inputs @ shift / np.sqrt(len(hidden))
        if weights.hidden_bias_shift is not None:
            moved += config.bias_std * weights.hidden_bias_shift[member, component]
        initial = weights.initial_output[member, component].astype(np.float64)
        after += config.weight_std * (moved * (before > 0)) @ initial / np.sqrt(len(output))
    if weights.output_bias is not None:
        after += config.bias_std * weights.output_bias[member, component]
    return after


def all_chunks(problem, members):
    return [Chunk(stack, 0, members) for stack in range(len(problem.stacks))]


def equal_weights(first: Weights, second: Weights):
    """Bit for bit."""
    for a, b in zip(first, second, strict=True):
        if (a is None) != (b is None):
            return False
        if a is not None and (a.dtype != b.dtype or not np.array_equal(a, b)):
            return False
    return True


def joint(example, **options):
    return LearningProblem(example, "joint", **options)


def random_sets(num_templates, num, seed=0):
    """Distinct non-empty sets of matched templates."""
    rng = np.random.default_rng(seed)
    sets = rng.random((num, num_templates)) < rng.random((num, 1))
    sets[~sets.any(axis=1), 0] = True
    return np.unique(sets, axis=0)


def encoded(sets, num_inputs):
    """The sets as networks of so many inputs read them."""
    x = np.zeros((len(sets), num_inputs))
    x[:, : sets.shape[1]] = sets / np.sqrt(sets.sum(axis=1, keepdims=True))
    return x


@functools.partial(jax.jit, static_argnames="activation_bytes")
def means_of(engine, states, *, activation_bytes):
    """Compiled as one; operation by operation it is forty programs for every shape."""
    assert activation_bytes == trained.ACTIVATION_BYTES  # what is traced depends on it
    return decide_states(engine, states)[1].means


def by_engine(ensemble, states):
    """Means of all bits, bit-major, as they run."""
    problem = ensemble.problem
    thresholds = np.ones((problem.program.layout.num_bits, problem.max_matches + 1))
    update = uncertified_engine(ensemble, thresholds)
    found = means_of(update, jnp.asarray(states.T), activation_bytes=trained.ACTIVATION_BYTES)
    return np.asarray(found)
