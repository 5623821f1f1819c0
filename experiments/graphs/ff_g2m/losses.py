"""What a teacher knows along edges, as losses of a student that sees none.

Graphs have every edge both ways; self-loops in them are left out, so they can serve as padding.
"""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.graph.segments import GraphsTuple, segment_sum

Logits = Float[Array, "n classes"]


def _edges(graph: GraphsTuple) -> tuple[Int[Array, " e"], Int[Array, " e"], Bool[Array, " e"]]:
    senders, receivers = jnp.asarray(graph.senders), jnp.asarray(graph.receivers)
    return senders, receivers, senders != receivers


def _divergence(teacher: Array, student: Array) -> Array:
    """KL(softmax teacher || softmax student), row by row; the teacher gets no gradient."""
    target = jax.nn.log_softmax(jax.lax.stop_gradient(teacher))
    return optax.losses.kl_divergence_with_log_targets(jax.nn.log_softmax(student), target)


def node_loss(logits: Logits, teacher_logits: Logits) -> Float[Array, ""]:
    """GLNN's distillation: the mean over nodes of KL(teacher || student).

    Source: Zhang et al., arXiv:2110.08727.
    """
    return jnp.mean(_divergence(teacher_logits, logits))


def low_frequency_loss(
    logits: Logits, teacher_logits: Logits, graph: GraphsTuple, *, temperature: float = 1.0
) -> Float[Array, ""]:
    """LFD: a node learns what the teacher says of it and of each of its neighbours.

    Args:
        logits: the student's, h.
        teacher_logits: z; no gradient reaches them.
        graph: whose edges, and one self-loop for each node, weigh alike.
        temperature: t, 1 in the public code, divides both.

    Returns:
        The mean over edges and self-loops from j to i of KL(softmax(z_j / t) || softmax(h_i / t)).

    Source: arXiv:2305.10758, low-frequency distillation.
    """
    senders, receivers, edges = _edges(graph)
    student, teacher = logits / temperature, teacher_logits / temperature
    along = jnp.sum(_divergence(teacher[senders], student[receivers]), where=edges)
    at = jnp.sum(_divergence(teacher, student))
    return (along + at) / (jnp.sum(edges) + len(logits))


def averaged_teacher(
    teacher_logits: Logits, graph: GraphsTuple
) -> tuple[Logits, Float[Array, " n"], Float[Array, ""]]:
    """What `low_frequency_loss` at temperature 1 is: GLNN on a teacher averaged once over the graph.

    Args:
        teacher_logits: z.
        graph: as there.

    Returns:
        The log of the mean p_i of softmax z over i's closed neighbourhood; the neighbourhood's share
        w_i of all edges and self-loops; a constant c without the student. For every student
        `low_frequency_loss = sum_i w_i KL(p_i || softmax h_i) + c`.

    Source: ours: KL is linear in the teacher but for the teacher's own entropy.
    """
    senders, receivers, edges = _edges(graph)
    log = jax.nn.log_softmax(teacher_logits)
    weights = edges.astype(log.dtype)[:, None]

    def gathered(values: Array) -> Array:
        return values + segment_sum(weights * values[senders], receivers, len(values))

    sizes = gathered(jnp.ones_like(log[:, :1]))
    mean = gathered(jnp.exp(log)) / sizes
    log_mean = jnp.log(mean)
    spread = jnp.sum(gathered(jnp.exp(log) * log)) - jnp.sum(sizes * mean * log_mean)
    return log_mean, sizes[:, 0] / jnp.sum(sizes), spread / jnp.sum(sizes)


def high_frequency_loss(
    logits: Logits,
    teacher_logits: Logits,
    graph: GraphsTuple,
    *,
    temperature: float = 1.5,
    signed: bool = False,
) -> Float[Array, ""]:
    """HFD: a student's differences across edges spread over classes as the teacher's do.

    Args:
        logits: the student's, h.
        teacher_logits: z; no gradient reaches them.
        graph: whose edges count.
        temperature: t, divides the differences.
        signed: compares the softmax of (d, -d) in place of |d|, so that signs count. Not in the
            paper, under which a student of `-teacher_logits` has no loss.

    Returns:
        The mean over edges of KL(q(z) || q(h)), q_ij(v) = softmax(|v_i - v_j| / t); 0 without edges.

    Source: arXiv:2305.10758, high-frequency distillation.
    """
    senders, receivers, edges = _edges(graph)

    def differences(values: Array) -> Array:
        steps = (values[senders] - values[receivers]) / temperature
        return jnp.concatenate([steps, -steps], axis=-1) if signed else jnp.abs(steps)

    along = _divergence(differences(teacher_logits), differences(logits))
    return jnp.sum(along, where=edges) / jnp.maximum(jnp.sum(edges), 1)
