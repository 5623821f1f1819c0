"""What does not fit ends with status 2 and one line that says what would."""

import pytest
from support.commands import KERNEL, refused

CERTIFY = ("certify", "flooding", "--degree", 2, "--word", 3)
TRAIN = ("train", "flooding", "--degree", 2, "--word", 2, "--slots", 3, "--arrival-bits", 2)
RUN = ("run", "flooding", "path:5", *KERNEL)


@pytest.mark.parametrize(
    "argv, says",
    [
        (("run", "floding", "path:5"), "did you mean 'flooding' or"),
        (
            ("run", "bellman-ford", "random-bounded:n=6,d=2,weights=1..3", "--weights", "wieght"),
            "did you mean 'weight'?",
        ),
        (("certify", "nothing", "--degree", 2, "--word", 2), "no algorithm 'nothing'"),
        (("train", "nothing", "path:5", "--out", "unused"), "no algorithm 'nothing'"),
        (("show", "bfs", "--degree", 3), "bfs without a graph needs --degree and --word"),
        (("show", "life", "--degree", 3, "--word", 2), "life has no numbers"),
        (("certify", "life", "--slots", 3), "life without a graph needs --degree"),
        (("run", "flooding", "pth:5"), "'pth:5' is neither a graph file"),
        (("run", "flooding", "path:0"), "n is '0'"),
        (("run", "flooding", "nowhere.gml"), "there is no file nowhere.gml"),
        ((*RUN, "--source", 9), "has no node '9'"),
        ((*RUN, "--until", "halt"), "flooding has no halt flag"),
        ((*RUN, "--ties", "fifo"), "flooding breaks ties by identifier (clrs) only"),
        (("run", "dfs-forest", "path:3", "--source", 1), "dfs-forest takes no inputs"),
        ((*RUN, "--message", "12"), "a string of 0s and 1s such as 1011, got '12'"),
        ((*RUN, "--message", ""), "got ''"),
        ((*RUN, "--padding", "some"), "padding is a number of templates or 'auto', not 'some'"),
        ((*RUN, "--padding", "-1"), "padding is a number of templates or 'auto', not '-1'"),
        ((*RUN, "--bound", "most"), "states, graph or a number, not 'most'"),
        ((*RUN, "--delta", "-1"), "delta must lie between 0 and 1, got -1"),
        ((*RUN, "--delta", "2", "--json"), "delta must lie between 0 and 1, got 2"),
        (("run", "flooding", "path:5", "--members", 1, "--delta", 0), "delta must lie between"),
        (("run", "flooding", "path:2", "--members", 0), "members must be at least 1, got 0"),
        (("run", "flooding", "path:2", "--members", -1), "members must be at least 1, got -1"),
        (("run", "flooding", "path:2", "--width", 0), "width must be at least 1, got 0"),
        (("run", "flooding", "path:2", "--seed", -1), "seed must lie between"),
        # It trains until it sees that it fails.
        pytest.param(
            ("run", "flooding", "path:2", "--members", 1, "--width", 1),
            "try width",
            marks=pytest.mark.slow,
        ),
        (("run", "flooding", "star:5", "--degree", 2), "has degree 4, above the bound 2"),
        (("run", "flooding", "path:5", "--ensemble", "nowhere"), "there is no folder nowhere"),
        (
            (*RUN, "--ensemble", "nowhere"),
            "goes with the engine 'ensemble' or 'ensemble-memo', not",
        ),
        ((*CERTIFY, "--delta", "-1"), "delta must lie between 0 and 1"),
        ((*CERTIFY, "--ensemble-kind", "joint", "--delta", "-1"), "delta must lie between 0 and 1"),
        ((*CERTIFY, "--decisions", 0), "at least one decision is needed, got 0"),
        ((*CERTIFY, "--bound", "graph"), "needs a graph"),
        (("certify", "flooding", "--degree", -1, "--word", 2), "degree of at least 0, got -1"),
        (("certify", "flooding", "--degree", 1, "--word", 0), "message_bits of at least 1"),
        (("train", "flooding", "--out", "unused"), "needs --degree and --word"),
        (("train", "flooding", "path:3", "--word", 4, "--out", "unused"), "follows from the mess"),
        ((*TRAIN, "--out", "unused", "--members", 0), "members must be at least 1, got 0"),
        ((*TRAIN, "--out", "unused", "--width", 0), "width must be at least 1, got 0"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_bad_input_gives_status_two_and_one_line(command, argv, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in refused(command(*argv))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, content, says",
    [
        ("bad.gml", "garbage [", "is not valid .gml content"),
        ("bad.json", "{", "bad.json"),
        ("bad.csv", "a,b,c,d\n", "line 1 of"),
        ("empty.txt", "", "holds no edges"),
        ("loop.edges", "0 0\n0 1\n", "node 0 of graph 'loop.edges' has an edge to itself"),
        ("binary.npy", "\0\1\2", "binary.npy"),
    ],
)
def test_a_malformed_graph_file_gives_status_two_and_one_line(
    command, tmp_path, name, content, says
):
    (tmp_path / name).write_text(content)
    assert says in refused(command("run", "flooding", tmp_path / name))


@pytest.mark.parametrize(
    "argv, says",
    [
        (("run", "flooding"), "graph"),
        (("run", "flooding", "path:5", "--engine", "guess"), "'guess'"),
        (("run", "flooding", "path:5", "--members", "many"), "--members"),
        (("run", "flooding", "path:5", "--fast"), "--fast"),
        (("certify", "flooding"), "--degree"),
        (("train", "flooding", "path:5"), "--out"),
        (("fly",), "fly"),
    ],
    ids=str,
)
def test_a_wrong_use_of_options_gives_status_two_and_no_traceback(command, argv, says):
    status, out, err = command(*argv)
    assert (status, out) == (2, "")
    assert says in err.lower()  # older Typer shouts the names of arguments
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "argv",
    [
        *((*RUN, option) for option in ("--html", "--plot")),
        (*CERTIFY, "--plot"),
        ("live", "--html"),
        *(("complexity", "flooding", option) for option in ("--plot", "--certainty")),
        *(("complexity", "flooding", option) for option in ("--csv", "--latex")),
        *(("check", "draws-agree", option) for option in ("--html", "--plot")),
    ],
    ids=lambda argv: f"{argv[0]} {argv[-1]}",
)
def test_a_file_needs_a_folder_that_is_there(command, tmp_path, argv):
    said = refused(command(*argv, tmp_path / "new" / "file.png"))
    assert "there is no folder" in said
    assert not list(tmp_path.iterdir())
