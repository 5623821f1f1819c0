"""The command line in this process."""

import pytest

from ntkexec.cli import main


@pytest.fixture
def command(capsys):
    """Runs the command line in this process: status, stdout, stderr."""

    def run(*argv):
        capsys.readouterr()
        status = main([str(a) for a in argv])
        return status, *capsys.readouterr()

    return run
