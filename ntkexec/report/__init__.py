"""Pages that show a run: one self-contained HTML file, no network."""

from ntkexec.report.decisions import margins
from ntkexec.report.page import save, to_html
from ntkexec.report.trace import trace_data

__all__ = ["margins", "save", "to_html", "trace_data"]
