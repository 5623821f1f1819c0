"""What a student is given, and that it needs no graph."""

import jax
import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from experiments.graphs.ff_g2m.student import MODES, Student, StudentNetwork, distil, factors_of
from experiments.kits.graph.convert import from_networkx
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError

GRAPH = from_networkx(nx.path_graph(6), np.eye(6, dtype=np.float32))
LOGITS = np.eye(6)[:, :2] * 5


def test_the_label_weight_one_leaves_exactly_the_plain_network_of_every_mode():
    for mode in MODES:
        assert factors_of(mode, 1.0).tolist() == [1, 0, 0, 0, 0]
    assert factors_of("full", 0.25).tolist() == [0.25, 0, 0.75, 0.75, 0]
    assert factors_of("mlp", 0.25).tolist() == [1, 0, 0, 0, 0]


def test_a_student_answers_for_one_node_as_for_all_and_its_program_has_no_edges():
    network = StudentNetwork(2, 4)
    variables = initial_by_numpy(network, np.random.default_rng(0), GRAPH)
    student = Student(network, variables, LOGITS, 1, 1, 0.0)
    rows = np.random.default_rng(1).normal(size=(6, 6)).astype(np.float32)
    together, alone = student(rows), student(rows[2:3])
    np.testing.assert_allclose(together[2], alone[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(student(sparse.csr_matrix(rows)), together, rtol=1e-4, atol=1e-6)
    text = str(jax.make_jaxpr(student)(rows))
    assert "gather" not in text
    assert "scatter" not in text


@pytest.mark.parametrize(
    "given",
    [
        {"mode": "fulll"},
        {"mode": "mlp"},
        {"labels": np.zeros(6, int)},
        {"labels": np.zeros(5, int), "train": np.ones(6, bool), "validation": np.ones(6, bool)},
    ],
)
def test_what_does_not_fit_is_refused_by_name(given):
    with pytest.raises(ExperimentError, match="mode"):
        distil(LOGITS, GRAPH, GRAPH.nodes, generator=np.random.default_rng(0), **given)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "mlp"])
def test_without_labels_a_student_of_distinct_nodes_repeats_its_teacher(mode):
    teacher = np.random.default_rng(0).normal(size=(6, 2)) * 4
    student = distil(
        teacher,
        GRAPH,
        sparse.csr_matrix(GRAPH.nodes),
        generator=np.random.default_rng(0),
        mode=mode,
        dropout=0.0,
        steps=300,
        patience=0,
    )
    if mode == "glnn":
        np.testing.assert_array_equal(student.logits.argmax(1), teacher.argmax(1))
    assert np.isfinite(student.logits).all()
