"""Long work is shown on a terminal, short work is not, and nothing is with --quiet."""

import time

import pytest

from ntkexec import pipeline
from ntkexec.cli import main, progress
from ntkexec.runtime import stages

RUN = ("run", "flooding", "path:3", "--engine", "kernel")


def test_stages_are_told_inside_out_and_nobody_need_listen():
    told = []
    with stages.stage("unheard"):
        pass
    with stages.told_to(told.append):
        with stages.stage("outer"), stages.stage("inner"):
            pass
        with pytest.raises(ValueError), stages.stage("failing"):
            raise ValueError
    assert told == ["outer", "inner", "outer", None, "failing", None]
    with stages.stage("unheard"):
        pass
    assert len(told) == 6


def test_a_run_says_what_it_is_doing():
    told = []
    pipeline.find_algorithm("bfs").program.cache_clear()
    with stages.told_to(told.append):
        pipeline.run("bfs", "path:3", engine="kernel")
    assert told.index("building the program of bfs") < told.index("certifying")
    assert told.index("certifying") < told.index("executing")
    assert told[-1] is None


@pytest.fixture
def terminal(monkeypatch):
    """What rich takes for a terminal, and work that takes a moment."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    on_graph = pipeline.on_graph

    def slow(*args, **options):
        with stages.stage("thinking"):
            time.sleep(0.4)
        return on_graph(*args, **options)

    monkeypatch.setattr(pipeline, "on_graph", slow)


@pytest.mark.parametrize(
    "delay, options, shown", [(0.1, (), True), (60, (), False), (0.1, ("--quiet",), False)]
)
def test_what_takes_long_is_shown(monkeypatch, capsys, terminal, delay, options, shown):
    monkeypatch.setattr(progress, "SECONDS", delay)
    assert main([*options, *RUN]) == 0
    assert ("thinking" in capsys.readouterr().err) == shown


def test_where_there_is_no_terminal_nothing_is_shown(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS", 0)
    assert main(RUN) == 0
    assert capsys.readouterr().err == ""
