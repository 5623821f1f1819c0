"""Files of raw programs: what is saved is loaded, and what is no such file is refused in words."""

import contextlib
import io
import json
import os
import pickle
import re
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import FEW
from support.raw import raw_matrices

from ntkexec.errors import NtkexecError, ProgramError
from ntkexec.program import files
from ntkexec.program.program import Program
from ntkexec.programs.graph import flooding

ROWS = {"conditions": [[0, -1], [1, 1]], "targets": [[0, 1], [1, 0]]}
JSON = {
    "format": files.FORMAT,
    "message_start": 1,
    "templates": [{"when": "0*", "then": "01"}, {"when": "11", "then": "10", "label": "wake"}],
}


@pytest.mark.parametrize("suffix", files.SUFFIXES)
def test_a_program_comes_back(suffix, tmp_path):
    @FEW
    @given(raw_matrices(), st.integers(1, 9), st.booleans())
    def comes_back(drawn, round_length, labelled):
        conditions, targets, start = drawn
        labels = [f"row {i}" for i in range(len(targets))] if labelled else None
        program = Program.from_arrays(
            conditions,
            targets,
            message_start=start,
            name="µ-rule",
            round_length=round_length,
            labels=labels,
        )
        path = tmp_path / f"p{suffix}"
        files.save(program, path)
        found = files.load(path)
        assert found.digest == program.digest
        assert (found.name, found.listing()) == (program.name, program.listing())

    comes_back()
    assert os.listdir(tmp_path) == [f"p{suffix}"]


def test_json_is_a_row_a_line_that_people_write(tmp_path):
    path = tmp_path / "two.JSON"
    path.write_text(json.dumps(JSON))
    program = files.load(path)
    assert program.name == "two"
    assert program.describe(0) == "!state[0] -> inbox[0]"
    assert program.describe(1) == "wake: state[0] & inbox[0] -> state[0]"
    files.save(program, path)
    assert path.read_text().splitlines()[1] == '  {"when": "0*", "then": "01"},'


def test_matrices_of_numpy_alone_are_a_program(tmp_path):
    np.savez(tmp_path / "mine.npz", message_start=1, **ROWS)
    program = files.load(tmp_path / "mine.npz")
    assert program == Program.from_arrays(**ROWS, message_start=1)
    assert (program.name, program.round_length) == ("mine", 1)


def test_fields_with_a_meaning_are_not_lost_in_a_file(tmp_path):
    program = flooding.program(degree=1, slots=2, message_bits=1, arrival_bits=1)
    with pytest.raises(
        ProgramError, match=r"'flooding' has fields with a meaning .* module:function"
    ):
        files.save(program, tmp_path / "p.npz")
    rows = Program.from_arrays(
        *program.to_arrays(), message_start=program.layout.num_computation_bits
    )
    files.save(rows, tmp_path / "p.npz")
    assert [t.condition for t in rows.templates] == [t.condition for t in program.templates]
    with pytest.raises(NtkexecError, match=r"ends in \.npz or \.json, not .*p\.txt"):
        files.save(rows, tmp_path / "p.txt")


def test_a_name_that_no_file_may_have_is_not_written(tmp_path):
    for name in ("a\nb", "x" * 81, ""):
        program = Program.from_arrays(**ROWS, message_start=1, name=name)
        with pytest.raises(ProgramError, match="a name is a line of at most 80 characters"):
            files.save(program, tmp_path / "p.npz")
    assert not list(tmp_path.iterdir())
    path = tmp_path / ("x" * 200 + ".npz")
    np.savez(path, message_start=1, **ROWS)
    files.save(files.load(path), tmp_path / "p.npz")
    assert files.load(tmp_path / "p.npz").name == files.load(path).name


def changed(**fields):
    return {name: value for name, value in (JSON | fields).items() if value is not None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[", "is no JSON: "),
        (b"\xff\xfe", "is no JSON: "),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"format": 1, "format": 1}', "a name stands twice"),
        ([], "is no JSON object; one with format, message_start, templates fits"),
        (changed(message_start=None), "lacks message_start"),
        (changed(format="ntkexec-program/9"), "has the format 'ntkexec-program/9', not"),
        (changed(mesage_start=1), "holds 'mesage_start'; there are format"),
        (changed(templates=[]), "with one at least"),
        (changed(templates=["01"]), 'row 0 is an object such as {"when"'),
        (changed(templates=[{"when": "01"}]), "row 0 lacks then"),
        (changed(templates=[{"when": 1, "then": "0"}]), "row 0: 'when' is text of 01*, not 1"),
        (
            changed(templates=[{"when": "012", "then": "001"}]),
            "row 0: 'when' has '2' in column 2; 0, 1 or * fits",
        ),
        (
            changed(templates=[{"when": "0", "then": "*"}]),
            "row 0: 'then' has '*' in column 0; 0 or 1",
        ),
        (
            changed(templates=[{"when": "01", "then": "001"}]),
            "row 0: 'when' has 2 places and 'then' 3",
        ),
        (
            changed(templates=[{"when": "01", "then": "01"}, {"when": "0", "then": "1"}]),
            "row 1 has 1 places, and row 0 has 2",
        ),
        (changed(message_start=7), "message_start is a number from 0 to 2"),
        (changed(message_start="1"), "message_start is a whole number, not '1'"),
        (changed(message_start=True), "message_start is a whole number, not True"),
        (changed(round_length=0), "a round takes at least one step"),
        (changed(name="\x1b[31m"), "a name is a line of at most 80 characters, not '\\x1b[31m'"),
        (changed(name=""), "a name is a line"),
        (
            changed(templates=[{"when": "0", "then": "1", "label": "a\nb"}]),
            "a label is a line of at most 80 characters, not 'a\\nb'",
        ),
    ],
)
def test_a_json_file_that_is_none_is_refused(content, message, tmp_path):
    path = tmp_path / "p.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(NtkexecError, match=re.escape(message)) as caught:
        files.load(path)
    assert "p.json" in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"conditions": [[0]]}, "lacks targets, message_start"),
        (ROWS | {"message_start": [1, 2]}, "message_start of", ),
        (ROWS | {"message_start": 1.0}, "message_start is a whole number, not 1.0"),
        (ROWS | {"message_start": 1, "name": 3}, "a name is a line of at most 80 characters, not 3"),
        (ROWS | {"message_start": 1, "extra": 3}, "holds 'extra'"),
        (ROWS | {"message_start": 1, "labels": ["a"]}, "there are 1 labels for 2 templates"),
        (ROWS | {"message_start": 1, "labels": "ab"}, "are a text for each template, not of shape ()"),
        (ROWS | {"message_start": 1, "targets": [[0, 3], [1, 0]]}, "row 0 of targets has 3"),
        (ROWS | {"message_start": 1, "name": np.array(object())}, "holds Python objects"),
    ],
)  # fmt: skip
def test_matrices_that_are_no_program_are_refused(arrays, message, tmp_path):
    np.savez(tmp_path / "p.npz", **arrays)
    with pytest.raises(NtkexecError, match=re.escape(message)):
        files.load(tmp_path / "p.npz")


def header(shape, dtype="|i1"):
    buffer = io.BytesIO()
    found = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, found)
    return buffer.getvalue()


def raw_header(text):
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


# What a parser of Python's literals ends in is of many types.
NO_HEADERS = (
    b"{'descr':",
    b"((((",
    b'"""abc',
    b"{1:2,'descr':3}",
    b"{}",
    b"3",
    b"-" * 9000 + b"1",
    b"(" * 9000,
    b"\x00",
    b"{'descr': 'x', 'fortran_order': False, 'shape': (1,)}",
    b"{'descr': '|i1', 'fortran_order': False, 'shape': (1e3,)}",
    b"{'descr': [1], 'fortran_order': False, 'shape': (1,)}",
)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (header((2**40, 2**20)), "where its header speaks of"),
        (header((3, 3)), "bytes where its header speaks of"),
        (header((-1, 3)), "has shape (-1, 3)"),
        (b"\x93NUMPY\x03\x00", "has .npy version (3, 0)"),
        (b"no array", "is no .npz file that can be read"),
        (b"", "is no .npz file that can be read"),
        (header((1,), "|O") + pickle.dumps([1]), "holds Python objects"),
        (header((10**10,), "|V0"), "holds |V0 items, which take no bytes"),
        (header((10**10,), "<U0"), "holds <U0 items, which take no bytes"),
        (header((10**10, 0)), "has shape (10000000000, 0) and no items"),
        *((raw_header(text), "has a header that is none") for text in NO_HEADERS),
    ],
)
def test_a_member_that_lies_about_itself_is_refused_before_it_is_loaded(member, message, tmp_path):
    path = tmp_path / "p.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("conditions.npy", member)
    with pytest.raises(NtkexecError, match=re.escape(message)):
        files.load(path)


def test_a_file_that_is_damaged_or_not_there_is_refused(tmp_path):
    path = tmp_path / "p.npz"
    with pytest.raises(NtkexecError, match="there is no file"):
        files.load(path)
    with pytest.raises(NtkexecError, match="there is no file"):
        files.load(tmp_path / "p.json")
    files.save(Program.from_arrays(**ROWS, message_start=1), path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        damaged = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(NtkexecError):
            files.load(path)


@pytest.mark.parametrize("suffix", files.SUFFIXES)
def test_what_is_there_and_no_file_is_told_as_what_it_is(suffix, tmp_path):
    (tmp_path / f"d{suffix}").mkdir()
    with pytest.raises(NtkexecError, match="is a folder; a file is needed"):
        files.load(tmp_path / f"d{suffix}")
    os.mkfifo(tmp_path / f"p{suffix}")
    with pytest.raises(NtkexecError, match="is no regular file"):
        files.load(tmp_path / f"p{suffix}")


def test_a_file_that_would_unpack_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ntkexec.runtime.archives.MAX_BYTES", 1000)
    np.savez_compressed(tmp_path / "p.npz", conditions=np.zeros((100, 100), np.int8))
    with pytest.raises(NtkexecError, match="bytes; at most 1000 are read"):
        files.load(tmp_path / "p.npz")
    monkeypatch.setattr(files, "MAX_JSON_BYTES", 3)
    (tmp_path / "p.json").write_text(json.dumps(JSON))
    with pytest.raises(NtkexecError, match=r"has more than 3 bytes; save it as \.npz"):
        files.load(tmp_path / "p.json")
