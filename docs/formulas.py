"""Formulas of the documentation as MathML, which browsers draw themselves: a hook of mkdocs.

No script and no font has to be loaded, so that the site is whole without a network.
"""

import html
import pathlib
import re
import shutil
from collections.abc import Mapping
from typing import Any, Literal

from ntkexec.check import rendering

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
        display: Literal["block", "inline"] = "block" if found["end"] == "]" else "inline"
        latex = html.unescape(found["latex"]).strip()
        return rendering.mathml(latex, display=display)

    return FORMULA.sub(converted, page)


def on_page_content(page_html: str, **_: object) -> str:
    """Called by mkdocs with the content of every page."""
    return as_mathml(page_html)


# Any: mkdocs' own settings.
def on_post_build(config: Mapping[str, Any], **_: object) -> None:
    """Called by mkdocs when the site is built: puts the font where its style sheet looks for it."""
    # Pages that commands write carry the same font.
    shutil.copytree(rendering.FONTS, pathlib.Path(config["site_dir"]) / "fonts", dirs_exist_ok=True)
