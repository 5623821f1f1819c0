"""What stored runs write: the table in a port's README, its processor time, the ledger of all ports."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import experiments
from experiments.files.storage import write_atomically
from experiments.harness import ledger, tables
from experiments.harness.about import FILE
from experiments.harness.report import Report
from ntkexec.errors import ExperimentError

END = "<!-- end of results -->"
QUICK = "quick"
"""The scale of the table that every port has; of a longer one a second table has what it measured."""
LEDGER = Path(experiments.__path__[0]).parent / "docs" / "results.md"
LEDGER_START = "<!-- ledger: ntkexec experiment ledger -->"
LEDGER_END = "<!-- end of ledger -->"
INSTALLED = {"site-packages", "dist-packages"}
"""Folders in which Python keeps what was installed, and not written there."""


def start_of(slug: str, scale: str = QUICK) -> str:
    """The line above a port's table, which says what writes it."""
    return f"<!-- results: ntkexec experiment readme {slug}{_scale(scale)} -->"


def end_of(scale: str) -> str:
    """The line below a port's table."""
    return END if scale == QUICK else f"<!-- end of results at {scale} -->"


def write_table(report: Report) -> Path:
    """Writes a report's table between its scale's marks in the port's README; gives the README.

    The processor time of a quick run goes to about.toml, too. A longer run may have been of some
    studies alone, and its table has the claims that were measured.

    Raises:
        ExperimentError: if a study is missing under every seed and so nothing is there to be told, or
            the README has no marks, or a file cannot be written, or the port is part of an installed
            package, whose files are no one's to edit.
    """
    about = report.experiment.about
    _check_checkout(about.folder, f"ntkexec experiment show {about.slug}")
    if not any(record.results for record in report.records):
        raise ExperimentError(
            f"nothing of {about.slug} is stored for the scale {report.scale} and this code; measure it "
            f"with `ntkexec experiment run {about.slug}{_scale(report.scale)}`"
        )
    told = tables.markdown(report, measured_alone=report.scale != QUICK)
    _replace(about.readme, start_of(about.slug, report.scale), end_of(report.scale), told)
    if report.scale == QUICK:
        known = about.folder / FILE
        spent = f"cpu_seconds = {report.cpu_seconds:.0f}"
        said = re.sub(r"^cpu_seconds = .*$", spent, known.read_text(), count=1, flags=re.MULTILINE)
        write_atomically(known, said.encode())
    return about.readme


def write_ledger(
    reports: Sequence[Report],
    path: Path | None = None,
    *,
    longer: Mapping[str, Sequence[Report]] | None = None,
) -> Path:
    """Writes the table of all systems between the marks of the page of results; gives the page.

    Args:
        reports: of every port.
        path: of the page; by default docs/results.md.
        longer: by port, runs at larger scales, for figures that the reports could not measure.

    Raises:
        ExperimentError: some port has nothing stored, since a ledger with a hole would say less than
            the one that it replaces; or as `write_table`, of the page.
    """
    path = path or LEDGER
    _check_checkout(path, "ntkexec experiment ledger --json")
    bare = [one.experiment.slug for one in reports if not any(r.results for r in one.records)]
    if bare:
        raise ExperimentError(
            f"nothing is stored for this code of {', '.join(bare)}; measure with `ntkexec experiment run "
            f"{bare[0] if len(bare) == 1 else 'all'}`"
        )
    table = ledger.markdown(reports, longer or {}, ledger.own_row())
    _replace(path, LEDGER_START, LEDGER_END, table)
    return path


def _scale(scale: str) -> str:
    """The option that asks for it; quick is what is asked for where there is none."""
    return "" if scale == QUICK else f" --scale {scale}"


def _check_checkout(path: Path, instead: str) -> None:
    if INSTALLED.intersection(path.parts):
        raise ExperimentError(
            f"{path} belongs to an installed package and stays as it is; tables are written in a checkout "
            f"of ntkexec, and `{instead}` prints the results"
        )


def _replace(path: Path, start: str, end: str, table: str) -> None:
    """Puts a table between two marks of a page."""
    try:
        page = path.read_text()
    except OSError as error:
        raise ExperimentError(f"cannot read {path}: {error.strerror}") from error
    if page.count(start) != 1 or page.count(end) != 1 or page.index(start) > page.index(end):
        raise ExperimentError(f"{path} needs the lines {start} and {end}, once each")
    before, rest = page.split(start)
    write_atomically(path, f"{before}{start}\n{table}{end}{rest.split(end)[1]}".encode())
