"""Plots of certificates and margins show what was certified and what was measured."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from ntkexec import pipeline, report
from ntkexec.cli import main
from ntkexec.errors import NtkexecError
from ntkexec.plots import certificate as certificate_plot
from ntkexec.plots import finite_width, scaling
from ntkexec.plots import margins as margins_plot
from ntkexec.programs.graph import bfs
from ntkexec.theory.interference import interference_curves


@pytest.mark.parametrize("kind", ["joint", "factored"])
@pytest.mark.parametrize("padding", [0, 300])
def test_a_program_is_certified_if_and_only_if_all_bits_lie_below_their_curve(kind, padding):
    program = bfs.program(degree=3, slots=7, word=3)
    found = pipeline.certify(
        program, kind=kind, padding=padding, num_decisions=1000, threshold="shared"
    )
    record = interference_curves(found)
    below = [
        bit["interference"] < record["curves"][str(bit["n0"])][bit["m"] - 2]
        for bit in record["bits"]
    ]
    assert all(below) == found.certified
    assert found.conventions()["bit"].certified
    (axes,) = certificate_plot.plot(record).axes
    assert len(axes.lines) == len(record["curves"])
    assert sum(len(points.get_offsets()) for points in axes.collections) == len(record["bits"])


def test_margins_are_those_of_the_verification():
    result = pipeline.run("bfs", "petersen", engine="kernel", trace=True)
    record = report.margins(result)
    smallest = min(
        min(abs(v) for v in row) for name in ("ones", "zeros") for row in record[name] if row
    )
    assert smallest == pytest.approx(result.execution.verification.smallest_margin)
    assert record["wrong"] == [0] * result.execution.steps
    (axes,) = margins_plot.plot(record).axes
    assert "no mistakes" in axes.get_title()


def test_mistakes_are_counted_and_drawn():
    result = pipeline.run("bfs", "path:4", engine="kernel", trace=True)
    update = dataclasses.replace(result.update, thresholds=result.update.thresholds + 2)
    record = report.margins(dataclasses.replace(result, update=update))
    assert min(record["wrong"]) > 0
    (axes,) = margins_plot.plot(record).axes
    assert f"{sum(record['wrong'])} mistakes" in axes.get_title()
    with pytest.raises(NtkexecError, match="trace=True"):
        report.margins(pipeline.run("bfs", "path:4", engine="kernel"))


def test_commands_draw_into_files_and_refuse_unknown_formats(tmp_path, capsys):
    run = ["run", "bfs", "path:4", "--engine", "kernel", "--plot"]
    assert main([*run, str(tmp_path / "margins.png")]) == 0
    assert (
        main(["certify", "bfs", *["--degree", "2", "--word", "2", "--plot"], f"{tmp_path}/c.svg"])
        == 0
    )
    assert (tmp_path / "margins.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "c.svg").read_text()
    capsys.readouterr()
    assert main([*run, str(tmp_path / "margins.xyz")]) == 2
    assert "margins.xyz: formats are " in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.svg", "margins.png"]


def test_verbose_tells_what_was_done_on_stderr_only(capsys):
    words = ["run", "bfs", "path:4", "--engine", "kernel", "--json"]
    assert main(["--verbose", *words]) == 0
    loud = capsys.readouterr()
    assert "certified at infinite width: smallest margin" in loud.err
    assert "steps in" in loud.err
    assert main(["--quiet", *words]) == 0
    assert capsys.readouterr().err == ""
    assert main(words) == 0
    assert capsys.readouterr().err == ""


def test_the_law_of_finite_width_is_a_line_through_the_centre_of_the_points():
    widths = [8, 32, 128]
    record = {"width": widths, "error": [3 * w**-0.5 for w in widths], "slope": -0.5}
    figure = finite_width.plot(record)
    measured, claimed, fitted = figure.axes[0].lines
    assert measured.get_xdata().tolist() == widths
    for line in (claimed, fitted):
        np.testing.assert_allclose(line.get_ydata(), record["error"])
    figure = finite_width.plot(record | {"slope": 0.0})
    assert np.ptp(figure.axes[0].lines[2].get_ydata()) == pytest.approx(0)


def test_check_draws_the_one_check_that_is_asked_for_and_refuses_others(tmp_path, capsys):
    target = tmp_path / "width.svg"
    assert main(["check", "kernel-finite-width", "--quick", "--plot", str(target)]) == 0
    assert "<svg" in target.read_text()
    capsys.readouterr()
    assert main(["check", "kernel-finite-width", "gram-spectrum", "--plot", str(target)]) == 2
    assert "--plot draws one check, not 2" in capsys.readouterr().err
    assert main(["check", "gram-spectrum", "--plot", str(target)]) == 2
    assert "'gram-spectrum' has no plot" in capsys.readouterr().err


def test_scaling_draws_every_contender_of_the_saved_benchmark():
    docs = pathlib.Path(__file__).parents[2] / "docs"
    saved = json.loads((docs / "performance.json").read_text())
    figure = scaling.over_nodes(saved["scale"]["rows"])
    families = {row["graph"] for row in saved["scale"]["rows"]}
    assert len(figure.axes) == len(families)
    for axes in figure.axes:
        rows = [row for row in saved["scale"]["rows"] if row["graph"] in axes.get_title()]
        assert rows
        for line, key in zip(axes.lines, scaling.LINES, strict=True):
            found = [row[key] for row in rows if row[key] is not None]
            assert line.get_ydata().tolist() == found
    (axes,) = scaling.over_nonzeros(saved["work"]).axes
    assert len(axes.lines[0].get_xdata()) == len(saved["work"]["rows"])
