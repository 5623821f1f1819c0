"""The table of results in a port's README, and its processor time in about.toml, from stored runs."""

import re
from pathlib import Path

from experiments.files.storage import write_atomically
from experiments.harness import tables
from experiments.harness.about import FILE
from experiments.harness.report import Report
from ntkexec.errors import ExperimentError

END = "<!-- end of results -->"
INSTALLED = {"site-packages", "dist-packages"}
"""Folders in which Python keeps what was installed, and not written there."""


def start_of(slug: str) -> str:
    """The line above a port's table, which says what writes it."""
    return f"<!-- results: ntkexec experiment readme {slug} -->"


def write_table(report: Report) -> Path:
    """Writes a report's table between the marks of the port's README; gives the README.

    The processor time of a quick run goes to about.toml, too.

    Raises:
        ExperimentError: if a study is missing under every seed and so nothing is there to be told, or
            the README has no marks, or a file cannot be written, or the port is part of an installed
            package, whose files are no one's to edit.
    """
    about = report.experiment.about
    if INSTALLED.intersection(about.folder.parts):
        raise ExperimentError(
            f"{about.readme} belongs to an installed package and stays as it is; tables are written in a "
            f"checkout of ntkexec, and `ntkexec experiment show {about.slug}` prints the results"
        )
    if not any(record.results for record in report.records):
        raise ExperimentError(
            f"nothing of {about.slug} is stored for the scale {report.scale} and this code; measure it "
            f"with `ntkexec experiment run {about.slug}`"
        )
    start = start_of(about.slug)
    page = about.readme.read_text()
    if page.count(start) != 1 or page.count(END) != 1 or page.index(start) > page.index(END):
        raise ExperimentError(f"{about.readme} needs the lines {start} and {END}, once each")
    before, rest = page.split(start)
    after = rest.split(END)[1]
    table = f"{before}{start}\n{tables.markdown(report)}{END}{after}"
    write_atomically(about.readme, table.encode())
    if report.scale == "quick":
        known = about.folder / FILE
        spent = f"cpu_seconds = {report.cpu_seconds:.0f}"
        said = re.sub(r"^cpu_seconds = .*$", spent, known.read_text(), count=1, flags=re.MULTILINE)
        write_atomically(known, said.encode())
    return about.readme
