"""The kind of machine that compiled code is for: whatever changes the code changes the name."""

import importlib.metadata
import platform

import pytest

from ntkexec.runtime.machine_kind import name_of_kind, processor

X86 = """processor\t: {number}
vendor_id\t: GenuineIntel
model name\t: A processor
cpu MHz\t\t: {mhz}
flags\t\t: fpu sse2 {more}

"""
ARM = """processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd {more}
CPU part\t: 0xd40

"""


@pytest.fixture
def cpuinfo(tmp_path):
    def write(text, **values):
        path = tmp_path / "cpuinfo"
        path.write_text(text.format(**{"number": 0, "mhz": 1000, "more": "avx2"} | values))
        return path

    return write


@pytest.mark.parametrize("text", [X86, ARM], ids=["x86", "arm"])
def test_features_count_and_what_changes_from_moment_to_moment_does_not(cpuinfo, text):
    before = processor(cpuinfo(text))
    assert processor(cpuinfo(text, more="avx512f")) != before
    assert processor(cpuinfo(text, number=3, mhz=2000)) == before
    # The first processor speaks for all.
    assert processor(cpuinfo(text + text.replace("{more}", "other"))) == before


def test_without_features_the_machines_name_stands_for_them(tmp_path, cpuinfo, monkeypatch):
    before = processor(tmp_path / "nowhere")
    assert processor(cpuinfo("nothing: known\n\n")) == before
    there = platform.uname()
    monkeypatch.setattr(platform, "uname", lambda: there._replace(node="another"))
    assert processor(tmp_path / "nowhere") != before


def test_versions_flags_and_processor_are_in_the_name(cpuinfo, tmp_path, monkeypatch):
    flags = tmp_path / "flags.txt"
    flags.write_text("--xla_a=1")
    names = [
        name_of_kind(environment, cpuinfo(X86, more=more))
        for environment in (
            {},
            {"XLA_FLAGS": "--xla_backend_optimization_level=2"},
            {"XLA_FLAGS": str(flags)},
        )
        for more in ("", "avx2")
    ]
    flags.write_text("--xla_a=2")
    names.append(name_of_kind({"XLA_FLAGS": str(flags)}, cpuinfo(X86)))
    real = importlib.metadata.version
    for package in ("jax", "jaxlib"):
        with monkeypatch.context() as changed:
            changed.setattr(
                importlib.metadata,
                "version",
                lambda name, package=package: "99" if name == package else real(name),
            )
            names.append(name_of_kind({}, cpuinfo(X86)))
    assert len({*names}) == len(names)
    assert name_of_kind({"HOME": "/elsewhere", "XLA_FLAGS": " "}, cpuinfo(X86)) == names[1]
    assert names[0].startswith(f"jax-{importlib.metadata.version('jax')}-")
    assert names[-2].startswith("jax-99-")
