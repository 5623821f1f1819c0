"""The page of a theorem, for people: one file, no network."""

import html
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from ntkexec.report.page import style
from ntkexec.runtime.tables import as_html


def to_html(data: Mapping[str, Any]) -> str:
    """The page.

    Args:
        data: of the theorem, as `--json` prints them: all of it was verified.
    """
    ensemble = data["about"] == "ensemble"
    who = "These networks execute" if ensemble else "The program of"
    sizes = ", ".join(f"{name} {size}" for name, size in data["sizes"].items())
    title = f"{data['statement']}: {sizes}" if sizes else str(data["statement"])
    command = f"python -m ntkexec.recheck THIS_FOLDER{' ENSEMBLE_FOLDER' if ensemble else ''}"
    parts = [
        f"<header><h1>A theorem about {'an ensemble' if ensemble else 'a program'}</h1>"
        f'<p id="verdict" class="exact">{html.escape(title)}</p></header>',
        f"<p><b>{who} {html.escape(str(data['statement']))}:</b> {html.escape(data['sentence'])}</p>",
        "<h2>For</h2>",
        listed(data["scope"]),
        "<h2>What was verified</h2>",
        listed(data["shown"]),
        table(data["obligations"]),
        "<h2>What stays in prose</h2>",
        "<p>To be believed, or checked elsewhere:</p>",
        listed(data["prose"]),
        "<h2>Verify it yourself</h2>",
        f"<pre>{html.escape(command)}</pre>",
        '<p class="note">It needs NumPy and safetensors, builds every formula again from the templates,'
        " and checks every step of every proof. This page was written from what it said.</p>",
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{style()} body {{ max-width: 900px; }}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def listed(sentences: Iterable[str]) -> str:
    """Sentences as a list."""
    return f"<ul>{''.join(f'<li>{html.escape(one)}</li>' for one in sentences)}</ul>"


def table(obligations: Iterable[Mapping[str, Any]]) -> str:
    """The obligations: their parts, clauses and the digest of each formula."""
    rows = []
    for name, entries in groupby(obligations, key=lambda entry: str(entry["name"])):
        for place, entry in enumerate(entries):
            first = name if place == 0 else ""
            rows.append((first, str(entry["part"]), f"{entry['clauses']:,}", str(entry["formula"])))
    head = ("obligation", "part", "clauses", "SHA-256 of its formula in DIMACS")
    return as_html(rows, head=head)
