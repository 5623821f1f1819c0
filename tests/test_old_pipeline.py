"""The pipeline in parts gives what it gave in one piece: results, and the words of errors."""

import logging

import numpy as np
import pytest
from support import old_pipeline

from ntkexec import ensemble, pipeline
from ntkexec.ensemble import EnsembleConfig, thresholds
from ntkexec.errors import NtkexecError

SMALL = {"message": "1"}
RUNS = [
    {"engine": "ensemble", "members": 2, "width": 256},
    {"engine": "ensemble", "seed": 3, "descent": "plain", "delta": 1e-2},
    {"engine": "ensemble", "draw": "linearised", "weight_std": 2.0},
    {"engine": "ensemble", "draw": "gaussian", "kind": "joint"},
    {"engine": "ensemble", "kind": "joint", "padding": 40, "members": 1, "width": 1024},
    {"engine": "ensemble-memo", "members": 1},
    {"engine": "kernel", "until": "steps", "trace": True},
    {"engine": "kernel", "kind": "joint", "threshold": "shared", "bound": "states"},
    {"engine": "kernel", "kind": "joint", "threshold": "zero"},
    {"engine": "kernel", "bound": 2, "until": "fixed-point"},
    {"engine": "kernel", "bound": 1},
    {"engine": "kernel-packed", "verify": False},
    {"engine": "linear", "kind": "joint", "threshold": "shared", "padding": 0},
    {"engine": "boolean", "sources": [0, 2]},
    {"engine": "oracle"},
]
ERRORS = [
    {"engine": "kernal"},
    {"engine": "kernel", "kind": "single"},
    {"engine": "kernel", "colour": 3},
    {"engine": "kernel", "weights": "weight"},
    {"engine": "kernel", "delta": 2.0},
    {"engine": "kernel", "bound": "all"},
    {"engine": "kernel", "threshold": "two"},
    {"engine": "kernel", "weight_std": 0.0},
    {"engine": "kernel", "until": "halt", "trace": True},
    {"engine": "kernel", "draw": "trained", "until": "never"},
    {"engine": "kernel", "kind": "joint", "threshold": "zero", "padding": 0, "bound": "states"},
    {"engine": "ensemble", "members": 0},
    {"engine": "ensemble", "width": 0},
    {"engine": "ensemble", "seed": -1},
    {"engine": "ensemble", "descent": "up"},
    {"engine": "ensemble-memo", "draw": "gaussian"},
    {"engine": "ensemble", "kind": "joint", "bound": "states", "width": 8, "members": 1},
]
STORED = [{}, {"members": 1}, {"engine": "ensemble-memo"}, {"padding": 0, "width": 64, "bound": 3}]
STORED_ERRORS = [
    {"engine": "kernel"},
    {"members": 5},
    {"seed": 7},
    {"threshold": "shared"},
    {"kind": "joint"},
    {"algorithm": "dfs"},
    {"trained": "nowhere"},
    {"graph": "star:9"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    instance = pipeline.prepare("bfs", "path:n=4")
    certificate = pipeline.certify(instance.program, num_decisions=1)
    path = tmp_path_factory.mktemp("stored") / "networks"
    ensemble.draw(
        certificate.problem,
        EnsembleConfig(members=2, width=64),
        directory=path,
        parameters=dict(instance.parameters),
        thresholds=thresholds.running(certificate),
        convention="bit",
    )
    return path


def outcome(run, caplog, algorithm="flooding", graph="path:4", **options):
    """What a run gives, or the words of its error; and what it logs, times aside."""
    caplog.clear()
    try:
        with caplog.at_level(logging.INFO, logger="ntkexec"):
            result = run(algorithm, graph, **options)
    except NtkexecError as error:
        return type(error), str(error)
    data = result.to_data() | {"seconds": None}
    if data["ensemble"] is not None:
        data["ensemble"] |= {"train_seconds": None}
    trace = result.execution.trace
    return (
        data,
        result.execution.states.tolist(),
        None if trace is None else trace.tolist(),
        {name: values.tolist() for name, values in result.answer.items()},
        np.asarray(result.certificate.thresholds).tolist(),
        [record.msg for record in caplog.records],
    )


@pytest.mark.parametrize("options", RUNS + ERRORS, ids=str)
def test_runs_and_errors_are_the_same(options, caplog):
    new, old = (
        outcome(one, caplog, **SMALL, **options) for one in (pipeline.run, old_pipeline.run)
    )
    assert new == old
    assert (options in ERRORS) == isinstance(new[0], type)


@pytest.mark.parametrize("options", STORED + STORED_ERRORS, ids=str)
def test_those_of_stored_ensembles_are_the_same(options, folder, caplog):
    asked = {"algorithm": "bfs", "trained": folder} | options
    new, old = (outcome(one, caplog, **asked) for one in (pipeline.run, old_pipeline.run))
    assert new == old
    assert (options in STORED_ERRORS) == isinstance(new[0], type)
