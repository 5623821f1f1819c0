"""The words of options: without JAX, and the same objects wherever they can be imported."""

import importlib
import subprocess
import sys

import pytest

from ntkexec import vocabulary

HOMES = {
    "Kind": ["program.problem"],
    "KINDS": ["program.problem"],
    "EngineName": ["result"],
    "Until": ["executor", "executor.options"],
    "Draw": ["ensemble", "ensemble.config"],
    "Descent": ["ensemble", "ensemble.schedule"],
    "Convention": ["theory.certificate"],
    "Scale": ["check"],
}


def test_the_words_of_options_need_no_jax():
    code = "import sys, ntkexec.vocabulary; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", HOMES)
def test_a_word_is_the_same_object_wherever_it_is_imported(name):
    for home in HOMES[name]:
        found = getattr(importlib.import_module(f"ntkexec.{home}"), name)
        assert found is getattr(vocabulary, name)
