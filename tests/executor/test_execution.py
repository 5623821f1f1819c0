"""What an execution shows of itself: a line, and escaped cells; never its states."""

import dataclasses

import numpy as np

from ntkexec import executor, pipeline


def execution(**options):
    instance = pipeline.prepare("bfs", "path:3")
    certificate = pipeline.certify(instance.program, num_decisions=1)
    engine = pipeline.make_engine("boolean", certificate)
    options = {"num_steps": 5} | options
    return executor.execute(engine, instance.program, instance.graphs, **options)


def test_its_repr_is_a_line():
    found = dataclasses.replace(execution(trace=True), run_seconds=0.5, compile_seconds=0.0)
    assert repr(found) == (
        "Execution(3 nodes, 5 steps, stopped by steps, 0 wrong bits, smallest margin 0.5000, "
        "0.5 s, compiled in 0 s)"
    )
    assert "not verified" in repr(execution(verify=False))
    wrong = dataclasses.replace(
        found.verification, wrong_bits=7, first_wrong_step=2, wrong_nodes=np.ones(3, bool)
    )
    told = repr(dataclasses.replace(found, verification=wrong, collisions=1000))
    assert "void: 1,000 receptions in which two messages met, 7 wrong bits, first at step 2" in told


def test_in_a_notebook_it_is_a_table():
    found = execution()
    page = dataclasses.replace(found, stopped="<b>")._repr_html_()
    assert "<tr><td>steps</td><td>5 steps, stopped by &lt;b&gt;</td></tr>" in page
    assert page.startswith("<p><b>Execution</b></p><table>")
