"""A plugin of pytest for networkx's own tests: counts what the backend runs and declines.

Environment: COUNTS is the file for the counts; with PLAIN programs are evaluated without an engine;
with BROKEN answers are given to the nodes in reverse.
"""

import collections
import json
import os
import pathlib

from support.networkx_backend import plain_run

from ntkexec.networkx_backend import calls, interface

RUN = "run"
COUNTS = collections.Counter()

if os.environ.get("PLAIN"):
    calls.run = plain_run
if os.environ.get("BROKEN"):

    def _broken(instance, **options):
        found = plain_run(instance, **options)
        found.answer = {field: values[::-1] for field, values in found.answer.items()}
        return found

    calls.run = _broken


def _counted(name, args, kwargs):
    found = type(interface.BACKEND).can_run(interface.BACKEND, name, args, kwargs)
    COUNTS[RUN if found is True else str(found)] += 1
    return found


def _called(name, /, *args, **kwargs):
    try:
        return type(interface.BACKEND)._call(interface.BACKEND, name, *args, **kwargs)
    except NotImplementedError as error:
        COUNTS[RUN] -= 1
        COUNTS[str(error)] += 1
        raise


def pytest_configure(config):
    interface.BACKEND.can_run = _counted
    interface.BACKEND._call = _called


def pytest_sessionfinish(session):
    pathlib.Path(os.environ["COUNTS"]).write_text(json.dumps(COUNTS))
