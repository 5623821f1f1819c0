"""A whole page inside a notebook, without a file: the page travels in the frame's own `srcdoc`."""

import dataclasses

from ntkexec.report.page import to_html
from ntkexec.report.trace import trace_data
from ntkexec.result import Result


@dataclasses.dataclass(frozen=True, repr=False)
class Frame:
    """A page as notebooks show it, here, on Colab and where a notebook is stored.

    Args:
        html: the page.
        height: of the frame, in pixels.
        title: what it shows, for those who do not see it.
    """

    html: str
    height: int = 720
    title: str = "a page of ntkexec"

    def __repr__(self) -> str:
        return f"Frame({self.title}, {len(self.html):,} characters)"

    def _repr_html_(self) -> str:
        # Between single quotes, of which a page has few, it grows little.
        page = self.html.replace("&", "&amp;").replace("'", "&#39;")
        title = self.title.replace("&", "&amp;").replace('"', "&quot;")
        return (
            f'<iframe title="{title}" style="width: 100%; border: 0" height="{self.height}" '
            f"srcdoc='{page}'></iframe>"
        )


def framed(page: Result | str, *, height: int = 720, title: str | None = None) -> Frame:
    """What a notebook shows when it is the last line of a cell.

    Args:
        page: a run with a trace, or a page such as `live_html()`.
        height: of the frame, in pixels.
        title: what it shows; of a run by default its algorithm and graph.

    Raises:
        NtkexecError: see `trace_data` and `to_html`.
    """
    if isinstance(page, str):
        return Frame(page, height, title or Frame.title)
    instance = page.instance
    told = title or f"{instance.program.name} on {instance.graph.label}, step by step"
    return Frame(to_html(trace_data(page)), height, told)
