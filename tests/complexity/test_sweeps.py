"""Sweeps: every combination once, tables that others read, bounds of one's own, absurd products."""

import csv
import dataclasses
import io
import itertools
import json
import math
import sys
import types

import numpy as np
import pytest

from ntkexec.complexity import OwnBound, random_executions, sweep, tables, variants
from ntkexec.complexity.sweeps import MAX_STUDIES, check_number
from ntkexec.complexity.tables import COLUMNS, as_csv, as_latex, is_column
from ntkexec.errors import CertificateError, MissingExtraError, NtkexecError
from ntkexec.plots import certainty as certainty_plot
from ntkexec.plots import complexity as plots


def mine(n0, m, decisions, delta):
    return 8 * m / n0 * math.log(decisions / delta)


def small_only(n0):
    return 3.0 if n0 < 50 else None


@pytest.fixture(scope="module")
def found():
    executions = random_executions("flooding", [2], [1, 2], num_graphs=2, nodes=(3, 4), seed=0)
    return sweep(
        executions,
        of=variants(["joint"], [0], ["gaussian"], [0.5, 1.0], [64, 128]),
        thresholds=["bit", "zero"],
        own=[OwnBound("mine", mine), OwnBound("small_only", small_only)],
        repeat=3,
        numbers=[1, 2, 5],
    )


def test_every_combination_is_studied_once(found):
    combinations = [
        (one.sizes["message_bits"], one.weight_std, one.threshold)
        for one in (*found.studies, *found.refused)
        if hasattr(one, "weight_std")
    ]
    assert len(combinations) == len(set(combinations))
    assert len(found.studies) + len(found.refused) == 8
    # Of infinite width there is one width.
    assert {one.width for one in found.studies} == {None}
    # The spread of an output grows like the fourth power, its noise ratio with it.
    by = {(s.sizes["message_bits"], s.weight_std): s for s in found.studies if s.threshold == "bit"}
    for word in (1, 2):
        ratio = by[word, 1.0].noise_ratio / by[word, 0.5].noise_ratio
        assert ratio == pytest.approx(16)
        assert by[word, 1.0].bounds.union >= by[word, 0.5].bounds.union


def test_bounds_of_ones_own_stand_in_tables_and_figures(found):
    for study, row in zip(found.studies, found.rows(), strict=True):
        expected = mine(study.num_inputs, study.max_matches, study.num_decisions, study.delta)
        assert row["mine"] == study.own_bounds["mine"] == pytest.approx(expected)
        assert row["small_only"] == (3.0 if study.num_inputs < 50 else None)
        assert study.to_data()["own_bounds"]["mine"] == row["mine"]
    records = [study.to_data() for study in found.studies]
    for figure in (
        plots.plot(records, "word"),
        plots.panels(records),
        certainty_plot.plot(records[0]),
    ):
        legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
        labels = [text.get_text() for legend in legends for text in legend.get_texts()]
        assert any(label.startswith("mine") for label in labels), labels
    panels = plots.panels(records)
    by_word, by_std = (
        [t.get_text() for t in axes.get_legend().get_texts()] for axes in panels.axes
    )
    assert by_std[0] == "thresholds bit, word 1"
    assert all("weight_std" in label for label in by_word)
    assert [axes.get_xlabel() for axes in panels.axes] == [
        plots.SIZES["word"],
        plots.SIZES["weight_std"],
    ]


def test_tables_are_read_back(found):
    rows = found.rows()
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert len(read) == len(rows)
    for text, row in zip(read, rows, strict=True):
        assert float(text["noise_ratio"]) == row["noise_ratio"]
        assert text["threshold"] == row["threshold"]
        assert (text["small_only"] == "") == (row["small_only"] is None)
        shares = [float(text[f"exact_at_{n}"]) for n in (1, 2, 5)]
        assert all(0 <= share <= 1 for share in shares)
    latex = as_latex([study.to_data() for study in found.studies])
    assert all(rule in latex for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    body = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert len(body) == len(rows) + 1
    assert len({line.count("&") for line in body}) == 1
    assert r"small\_only" in body[0]
    assert r"$\sigma_w$" in body[0]


def test_a_frame_is_pandas_or_says_what_is_missing(found, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="pip install pandas"):
        found.to_frame()
    with pytest.raises(MissingExtraError, match="pandas"):
        found.studies[0].to_frame()
    # Where it is there, it is given rows and columns.
    fake = types.ModuleType("pandas")
    fake.DataFrame = lambda rows, columns: (rows, columns)
    monkeypatch.setitem(sys.modules, "pandas", fake)
    rows, columns = found.to_frame()
    assert rows == found.rows()
    assert set(columns) == set(itertools.chain.from_iterable(rows))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (3, "is no function, but 3"),
        (lambda nodes, colour: 1, "asks for 'colour'; a bound is given n0, m, w, degree"),
        (lambda n0: -1, "gives -1 at n0"),
        (lambda n0: "many", "gives 'many'"),
        (lambda n0: "12", "gives '12'"),
        (lambda n0: n0 > 1, "gives True"),
        (lambda n0: np.nan, "a positive number"),
    ],
)
def test_a_bound_that_is_none_is_refused(found, function, message):
    with pytest.raises(CertificateError, match=message):
        OwnBound("own", function).of(found.studies[0])


@pytest.mark.parametrize("name", ["median", "n0", "union", "exact_at_5"])
def test_a_bound_does_not_take_the_column_of_something_else(name):
    with pytest.raises(CertificateError, match=f"cannot be called {name!r}"):
        OwnBound(name, small_only)


def test_every_row_has_the_columns_that_are_taken(found):
    (row,) = {tuple(row) for row in found.rows()}
    assert [name for name in row if is_column(name) and "exact" not in name] == list(COLUMNS)


def test_latex_stays_whole_whatever_it_is_given(found):
    record = found.studies[0].to_data()
    record |= {"algorithm": "one\n\\input{x}", "own_bounds": {r"a\b&c_%~^": 1e300, "nan": math.nan}}
    latex = as_latex([record])
    assert latex.splitlines()[0].startswith(r"% one\n\input{x}")
    assert r"a\textbackslash{}b\&c\_\%\textasciitilde{}\textasciicircum{}" in latex
    assert r"$1.00 \cdot 10^{300}$ & --" in latex


def test_what_is_not_finite_is_nothing_in_data(found):
    record = dataclasses.replace(found.studies[0], smallest_margin=math.inf).to_data()
    json.dumps(record, allow_nan=False)
    assert tables.row(record)["margin"] is None


def test_no_networks_are_no_ensemble():
    executions = random_executions("flooding", [2], [1], num_graphs=1, nodes=(3, 3), seed=0)
    of = variants(["joint"], [0], ["gaussian"], [1.0], [64])
    with pytest.raises(CertificateError, match="at least 1 network; asked for 0"):
        sweep(executions, of=of, repeat=2, numbers=[0, 5])


def test_a_bound_is_given_what_it_has_parameters_for(found):
    study = found.studies[0]
    assert OwnBound("own", lambda n0, scale=2.0: n0 * scale).of(study) == 2 * study.num_inputs
    assert OwnBound("own", lambda **all: all["w"]).of(study) == study.max_writers
    assert OwnBound("own", lambda: math.inf).of(study) is None


def test_sizes_that_the_graphs_do_not_fit_are_told_beside_the_others():
    graphs = {"num_graphs": 1, "nodes": (6, 6), "seed": 0}
    networks = {"of": variants(["factored"], [0], ["gaussian"], [1.0], [1]), "repeat": 1}
    found = sweep(random_executions("bfs", [2], [1, 3], **graphs), **networks)
    (study,), (refused,) = found.studies, found.refused
    assert (study.sizes["word"], refused.sizes) == (3, "degree 2 word 1")
    assert "needs" in refused.reason
    with pytest.raises(NtkexecError, match="word"):
        sweep(random_executions("bfs", [2], [1], **graphs), **networks)


def test_absurd_products_are_refused_before_anything_is_made():
    assert check_number({"degrees": 16, "words": 16}) == MAX_STUDIES
    with pytest.raises(CertificateError, match="64 degrees x 64 words make 4,096 studies; 256 fit"):
        check_number({"degrees": 64, "words": 64, "draws": 1})
