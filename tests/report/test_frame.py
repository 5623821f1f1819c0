"""A page inside a notebook is the page itself, whatever characters it holds."""

import html.parser

import pytest

from ntkexec import pipeline, report
from ntkexec.errors import NtkexecError


class Frames(html.parser.HTMLParser):
    """Collects what is said of frames, as a browser would read it."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [dict(attributes)] * (tag == "iframe")


def frames(text):
    reader = Frames()
    reader.feed(text)
    return reader.found


TRICKY = """<p title="a" class='b'>&amp; &#39; &lt; "quoted" 'too'</p>
<script>x = "</iframe>" && '\u00e9';</script>"""


def test_the_page_travels_whole_in_the_frame():
    (found,) = frames(report.framed(TRICKY, height=300, title='"a" & b')._repr_html_())
    assert found["srcdoc"] == TRICKY
    assert found["title"] == '"a" & b'
    assert found["height"] == "300"
    assert "src" not in found
    (live,) = frames(report.framed(report.live_html())._repr_html_())
    assert live["srcdoc"] == report.live_html()


def test_a_run_is_framed_as_it_is_saved(tmp_path):
    result = pipeline.run("bfs", "path:2", engine="kernel", trace=True)
    (found,) = frames(report.framed(result)._repr_html_())
    report.save(result, tmp_path / "page.html")
    assert found["srcdoc"] == (tmp_path / "page.html").read_text()
    assert "bfs on path" in found["title"]
    assert len(repr(report.framed(result))) < 100
    with pytest.raises(NtkexecError, match="trace=True"):
        report.framed(pipeline.run("bfs", "path:2", engine="kernel"))
