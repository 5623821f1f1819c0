"""What the live page says is so: its verdicts are the certificate's, and its commands are commands."""

import shlex

import pytest
from support.commands import parse
from support.scripts import calculator

from ntkexec.report import live_page

SAID = """argument => {
  const program = learning.programOf(argument.data.listing);
  const problem = learning.problemOf(program, argument);
  const graph = graphs.named(argument.graphName);
  const instance = graphs.instance(argument.algorithm, program, argument.data.parameters, graph, 0);
  const sets = learning.occurring(problem, networks.ownRun(program, graph, instance));
  const thresholds = learning.thresholdsOf(problem, argument.threshold, sets);
  const certificate = networks.certificate(problem, thresholds, sets);
  const sizes = argument.data.sizes;
  const about = {...argument, problem, certificate, numDecisions: 1000, source: 0, sizes};
  return {
    limit: words.limit(about), enough: words.enough(about), caveat: words.CAVEAT,
    commands: words.commands(about).map(one => one.line),
    chances: [0, 1e-7, 0.00123, 0.5, 0.9999, 1].map(words.chance),
  };
}"""


@pytest.fixture(scope="module", params=["node", pytest.param("chromium", marks=pytest.mark.slow)])
def call(request):
    source = live_page.scripts((*live_page.SCRIPTS, "words.js"))
    with calculator(request.param, source) as found:
        yield found


def said(call, algorithm, **asked):
    about = {"kind": "joint", "threshold": "bit", "padding": 0, "weightStd": 1, "file": False}
    about |= {"algorithm": algorithm, "graphName": "complete:5"}
    return call(SAID, about | {"data": live_page.live_data()[algorithm]} | asked)


@pytest.mark.parametrize("file", [False, True])
@pytest.mark.parametrize("algorithm", live_page.SIZES)
def test_every_command_that_it_names_is_one(call, algorithm, file):
    found = said(call, algorithm, file=file)
    assert len(found["commands"]) == 4
    for command in found["commands"]:
        parse(shlex.split(command)[1:])
    assert ("graph.json" in found["commands"][-1]) == file


def test_a_certified_run_is_told_with_what_is_enough_and_that_it_is_simulated(call):
    found = said(call, "bfs")
    assert "all" in found["limit"]
    assert "fall on the right side" in found["limit"]
    assert "Not certified" not in found["limit"]
    assert "enough: all bits right with a probability of at least 0.999" in found["enough"]
    assert "simulates" in found["caveat"]
    assert found["chances"] == ["0", "1.0e-7", "0.0012", "0.50", "0.999+", "1"]


def test_what_is_not_certified_is_never_told_as_if_it_were(call):
    found = said(call, "flooding", threshold="zero", graphName="petersen")
    uncertified = [found] if "Not certified" in found["limit"] else []
    for kind in ("joint", "factored"):
        for algorithm in live_page.SIZES:
            for threshold in ("zero", "shared"):
                one = said(call, algorithm, threshold=threshold, kind=kind)
                uncertified += [one] * ("Not certified" in one["limit"])
    assert uncertified
    for one in uncertified:
        assert "right side" not in one["limit"]
        assert one["enough"] == "So no number of networks is enough for this run."
