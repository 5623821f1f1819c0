"""Formulas of the documentation as MathML, which browsers draw themselves: a hook of mkdocs.

No script and no font has to be loaded, so that the site is whole without a network.
"""

import html
import re

import latex2mathml.converter

# What pymdownx.arithmatex leaves, in its generic form.
FORMULA = re.compile(
    r'<(span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\(?P<end>[)\]])</\1>', re.DOTALL
)


def as_mathml(page: str) -> str:
    """A page of HTML with its formulas in MathML.

    Raises:
        latex2mathml.exceptions.NoAvailableTokensError, and others: not a formula.
    """

    def converted(found: re.Match[str]) -> str:
        display = "block" if found["end"] == "]" else "inline"
        latex = html.unescape(found["latex"]).strip()
        return str(latex2mathml.converter.convert(latex, display=display))

    return FORMULA.sub(converted, page)


def on_page_content(page_html: str, **_: object) -> str:
    """Called by mkdocs with the content of every page."""
    return as_mathml(page_html)
