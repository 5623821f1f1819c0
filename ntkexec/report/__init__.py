"""Pages that show a run, and the live page: each one self-contained HTML file, no network."""

from ntkexec.report.frame import Frame, framed
from ntkexec.report.listings import listing
from ntkexec.report.live_page import live_html, save_live
from ntkexec.report.margins_by_step import margins
from ntkexec.report.page import save, to_html
from ntkexec.report.trace import trace_data

__all__ = [
    "Frame",
    "framed",
    "listing",
    "live_html",
    "margins",
    "save",
    "save_live",
    "to_html",
    "trace_data",
]
