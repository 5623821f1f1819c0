"""Links to sources as plain text: a hook of mkdocs, since the site holds pages alone."""

import re

# From a page in docs/ to what lies beside that folder; whoever reads the page in a checkout follows it.
OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")


def on_page_markdown(markdown: str, page: object, **_: object) -> str:
    """Called by mkdocs with the text of every page."""
    return OUTSIDE.sub(r"\1", markdown) if "/" not in page.file.src_uri else markdown
