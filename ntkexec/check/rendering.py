"""Outcomes for people: lines of text, and parts of a page."""

import base64
import html
import io
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from ntkexec.check.claims import COLOURS, ON_DARK, Outcome, Verdict

FONTS = pathlib.Path(__file__).parent / "fonts"
_STRUT = '<mspace width="0" height="0.76em" depth="0.18em"/>'

# Text.


def number(value: float, *, digits: int = 4) -> str:
    """A measured number."""
    return f"{value:.{digits}g}"


def measured(outcome: Outcome, *, digits: int = 4) -> str:
    """Value, interval and bound of an outcome in words, or why there are none."""
    found, check = outcome.measurement, outcome.check
    if found.reason:
        return found.reason
    interval = ""
    if found.interval is not None:
        low, high = (number(end, digits=digits) for end in found.interval)
        interval = f" [{low}, {high}]"
    value, bound = number(found.value, digits=digits), number(check.bound, digits=digits)
    return f"{value}{interval}, {check.relation} {bound}"


def lines(outcome: Outcome, *, name_width: int | None = None) -> tuple[str, str, str]:
    """The verdict; what it is about; and, for the line below, what was measured.

    Args:
        outcome: of one claim.
        name_width: of a column for the name, in a table that also tells how it was measured and how
            long that took; without it the name is followed by the claim.
    """
    check, verdict = outcome.check, f"{outcome.verdict:<12}"
    if name_width is None:
        return verdict, f"  {check.name}: {check.claim}", f"{'':<14}{measured(outcome)}"
    told = measured(outcome, digits=3)
    if not outcome.measurement.reason:
        told = f"{check.how}: {told} ({outcome.seconds:.1f} s)"
    return verdict, f"  {check.name:<{name_width}}  {check.claim}", " " * (name_width + 16) + told


# Pages.


def colour_rules() -> str:
    """Style sheet's rules for verdicts, each in its colour, on paper and on a dark screen."""

    def rules(colours: Mapping[Verdict, str]) -> str:
        return " ".join(
            f".{_class(word)} {{ color: {colour}; }}" for word, colour in colours.items()
        )

    return f"{rules(COLOURS)} @media (prefers-color-scheme: dark) {{ {rules(ON_DARK)} }}"


def formula_rules() -> str:
    """Style sheet's rules for MathML, with the font inside: without one that is made for formulas
    browsers set indices at full size, and roots hang below their line."""
    font = base64.b64encode((FONTS / "stix-two-math.woff").read_bytes()).decode()
    return (
        '@font-face { font-family: "STIX Two Math subset"; '
        f'src: url("data:font/woff;base64,{font}") format("woff"); }} '
        'math { font-family: "STIX Two Math subset", math; }'
    )


def mathml(latex: str, *, display: Literal["block", "inline"] = "block") -> str:
    """A formula as MathML; needs latex2mathml.

    Browsers put the line of a root just above what stands under it, and let the rest of the sign hang
    below; so something as high as a capital, without width, stands under every root.

    Raises:
        latex2mathml.exceptions.NoAvailableTokensError, and others: not a formula.
    """
    import latex2mathml.converter

    formula = str(latex2mathml.converter.convert(latex, display=display))
    return formula.replace("<msqrt>", f"<msqrt>{_STRUT}")


def _class(verdict: str) -> str:
    return verdict.split()[0]


def verdict_html(outcome: Outcome, *, tag: Literal["span", "td"] = "span") -> str:
    """The verdict in its colour."""
    return f'<{tag} class="{_class(outcome.verdict)}">{outcome.verdict}</{tag}>'


def rows_html(rows: Iterable[tuple[str, str]]) -> str:
    """Names and values as a table."""
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table>{cells}</table>"


def plot_html(outcome: Outcome, alt: str, *, image: Literal["svg", "png"]) -> str:
    """The check's plot of what was measured, as a picture inside the page; empty without one."""
    check = outcome.check
    if check.plot is None or outcome.measurement.reason:
        return ""
    stream = io.BytesIO()
    # A picture is the same file whenever it is drawn. Any: matplotlib's own options.
    how: dict[str, Any] = {"metadata": {"Date": None}} if image == "svg" else {"dpi": 120}
    check.plot(outcome.measurement).savefig(stream, format=image, **how)
    kind = {"svg": "svg+xml", "png": "png"}[image]
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/{kind};base64,{data}">'
