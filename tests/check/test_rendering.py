"""How outcomes are shown: words for a terminal, and parts of a page."""

import re

import pytest

from ntkexec.check import COLOURS, Check, Measurement, Outcome, rendering

CHECK = Check("small", "a < b & c", "source", "how", 2.0, "theory", lambda _: Measurement())


class Figure:
    """What a plot returns, as far as a page needs it."""

    def savefig(self, stream, *, format, **_):
        stream.write(format.encode())


def outcome(plot=None, **measured):
    check = Check(**{**vars(CHECK), "plot": plot})
    return Outcome(check, Measurement(**measured), seconds=1.25)


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        ({"value": 1.23456}, "1.235, at most 2"),
        ({"value": 1.0, "interval": (0.5, 1.5)}, "1 [0.5, 1.5], at most 2"),
        ({"value": float("nan")}, "nan, at most 2"),
        ({"reason": "no GPU here"}, "no GPU here"),
    ],
)
def test_a_measurement_is_told_with_its_interval_and_bound_or_its_reason(measured, told):
    assert rendering.measured(outcome(**measured)) == told


def test_lines_name_the_claim_below_its_verdict():
    verdict, claim, below = rendering.lines(outcome(value=1.0))
    assert (verdict + claim, below.strip()) == ("holds         small: a < b & c", "1, at most 2")
    assert len(below) - len(below.lstrip()) == len("holds         ")
    verdict, claim, below = rendering.lines(outcome(value=1.0), name_width=8)
    assert verdict + claim == "holds         small     a < b & c"
    assert below.strip() == "how: 1, at most 2 (1.2 s)"
    assert len(below) - len(below.lstrip()) == claim.index("a <") + len(verdict)


def test_verdicts_on_a_page_have_their_colours():
    paper, screen = (
        dict(re.findall(r"\.(\w+) \{ color: (#\w+); \}", rules))
        for rules in rendering.colour_rules().split("@media (prefers-color-scheme: dark)")
    )
    assert [*paper.values()] == [*COLOURS.values()]
    assert [*screen.values()] == [*rendering.ON_DARK.values()]
    for found in (
        outcome(value=1.0),
        outcome(value=3.0),
        outcome(value=2.0, interval=(1.0, 3.0)),
        outcome(reason="no GPU here"),
    ):
        (name,) = re.findall(r'<td class="(\w+)">', rendering.verdict_html(found, tag="td"))
        assert paper[name] == COLOURS[found.verdict]
        assert screen[name] == rendering.ON_DARK[found.verdict]


def test_words_on_a_page_are_text():
    table = rendering.rows_html([("a<b", "<script>")])
    assert table == "<table><tr><td>a&lt;b</td><td>&lt;script&gt;</td></tr></table>"


def test_a_plot_is_inside_the_page_where_something_was_measured():
    found = outcome(plot=lambda _: Figure(), value=1.0)
    assert rendering.plot_html(found, '"x"', image="svg") == (
        '<img alt="&quot;x&quot;" src="data:image/svg+xml;base64,c3Zn">'
    )
    assert "data:image/png;base64,cG5n" in rendering.plot_html(found, "x", image="png")
    assert rendering.plot_html(outcome(value=1.0), "x", image="svg") == ""
    unmeasured = outcome(plot=lambda _: Figure(), reason="no GPU here")
    assert rendering.plot_html(unmeasured, "x", image="svg") == ""
