"""PyTorch's files of weights: tensors are read by name, from either form, and nothing is run."""

import collections
import os
import pickle
import re
import sys
import zipfile

import numpy as np
import pytest
from support import torch_files
from support.damage import damage_files
from support.torch_files import Other, Storage, Tensor, tensor

from experiments.data import DataMissingError, load
from experiments.data.carried import file_in_package, load_carried
from experiments.data.catalogue import data_set
from experiments.data.formats import torch_weights
from experiments.data.listing import entries, text
from experiments.data.rows.weights import LITE0
from ntkexec.errors import ExperimentError

FORMS = (torch_files.legacy, torch_files.archive)
forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


def arrays():
    generator = np.random.default_rng(0)
    codes = set(torch_weights.STORAGES.values()) - {"u2", "b1"}
    made = {
        f"of_{code}": generator.integers(0, 99, (2, 3, 4)).astype(code) for code in sorted(codes)
    }
    return made | {
        "truth": np.array([True, False]),
        "one": np.float32(7).reshape(()),
        "none": np.zeros((0, 3)),
    }


def weights(**more):
    made = {name: tensor(str(place), array) for place, (name, array) in enumerate(arrays().items())}
    return collections.OrderedDict({**made, **more})


def read(tmp_path, raw):
    path = tmp_path / LITE0
    path.write_bytes(raw)
    return torch_weights.read(path, "")


@forms
def test_tensors_of_every_kind_are_read_by_name_in_the_files_order(form, tmp_path):
    found = read(tmp_path, form(weights()))
    assert list(found) == list(arrays())
    for name, array in arrays().items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
        assert not found[name].flags.writeable or not found[name].size


@forms
def test_views_of_one_storage_are_what_their_strides_say_without_a_copy(form, tmp_path):
    numbers = np.arange(24, dtype=np.float32)
    shared = Storage("all", numbers)
    whole, turned = Tensor(shared, 0, (4, 6), (6, 1)), Tensor(shared, 2, (3, 2), (1, 6))
    found = read(tmp_path, form({"whole": whole, "turned": turned}))
    np.testing.assert_array_equal(found["turned"], numbers.reshape(4, 6)[:2, 2:5].T)
    assert np.shares_memory(found["whole"], found["turned"])


@forms
def test_dictionaries_within_each_other_name_tensors_by_points_and_other_values_are_left_out(
    form, tmp_path
):
    inner = {"w": tensor("0", np.ones(2)), "step": 3}
    parameter = Other("torch._utils", "_rebuild_parameter", tensor("1", np.zeros(1)), True, None)
    found = read(tmp_path, form({"epoch": 7, "model": inner, "list": [1], "p": parameter}))
    assert list(found) == ["model.w", "p"]


@forms
def test_tensors_are_read_as_the_first_versions_wrote_them(form, tmp_path):
    old = Other("torch._utils", "_rebuild_tensor", Storage("0", np.arange(6.0)), 1, (2, 2), (2, 1))
    np.testing.assert_array_equal(read(tmp_path, form({"w": old}))["w"], [[1, 2], [3, 4]])


@forms
def test_bfloat16_becomes_the_float32_with_its_bits(form, tmp_path):
    values = np.array([1.0, -2.5, 3.140625], np.float32)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    found = read(tmp_path, form({"w": tensor("0", bits, "BFloat16Storage")}))
    np.testing.assert_array_equal(found["w"], values)


@forms
@pytest.mark.parametrize("named", ["os.system", "torch.nn.modules.linear.Linear", "builtins.eval"])
def test_what_is_no_tensor_is_neither_made_nor_run(form, named, tmp_path):
    module, _, name = named.rpartition(".")
    for obj in (Other(module, name, "touch ran"), {"w": Other(module, name, "touch ran")}):
        with pytest.raises(
            ExperimentError, match=f"asks for '{re.escape(named)}'.*nothing of it was run"
        ):
            read(tmp_path, form(obj))
    assert not os.path.exists("ran")


def cyclic():
    made = {"w": tensor("0", np.ones(1))}
    made["self"] = made
    return made


def doubled(times):
    made = {"w": tensor("0", np.ones(1))}
    for _ in range(times):
        made = {"a": made, "b": made}
    return made


ONE = np.ones(1)
STORED = Storage("0", np.ones(4, np.float32))
UNFIT = {
    "a number": (7, "no tensors by name, but a int"),
    "nothing of use": ({"epoch": 1}, "holds no tensor"),
    "a tensor beyond its numbers": ({"w": Tensor(STORED, 1, (4,), (1,))}, "beyond its 4 numbers"),
    "a tensor of one number very often": ({"w": Tensor(STORED, 0, (2**20, 2**20), (0, 0))}, "beyond"),
    "a negative stride": ({"w": Tensor(STORED, 3, (4,), (-1,))}, "with the number -1"),
    "a shape of another length": ({"w": Tensor(STORED, 0, (4,), (1, 1))}, "of no shape"),
    "a tensor of a number": ({"w": Tensor(3, 0, (4,), (1,))}, "without numbers"),
    "a dictionary within itself": (cyclic(), "within itself"),
    "a dictionary doubled forty times": (doubled(40), "twice, or too deep"),
    "two tensors of one name": ({"a.b": tensor("0", ONE), "a": {"b": tensor("1", ONE)}}, "two tensors"),
    "truth that is neither": ({"w": tensor("0", np.array([2], "u1"), "BoolStorage")}, "neither true nor"),
}  # fmt: skip


@forms
@pytest.mark.parametrize("what", UNFIT)
def test_what_does_not_fit_is_refused_with_the_reason(form, what, tmp_path):
    obj, says = UNFIT[what]
    with pytest.raises(ExperimentError, match=f"{LITE0}.*{says}"):
        read(tmp_path, form(obj))


def test_another_order_of_bytes_compression_and_shared_bytes_are_refused(tmp_path):
    for raw, says in (
        (torch_files.legacy(weights(), little=False), "order of bytes"),
        (torch_files.archive(weights(), order=b"big"), "order of bytes"),
        (torch_files.archive(weights(), compression=zipfile.ZIP_DEFLATED), "is compressed"),
        (torch_files.archive({"w": tensor("0", np.ones(99))}, copies=9), "more bytes than it has"),
        (torch_files.legacy(weights()) + b"x", "goes on after its end"),
    ):
        with pytest.raises(ExperimentError, match=says):
            read(tmp_path, raw)


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__)
def written(request, tmp_path):
    path = tmp_path / "weights" / LITE0
    path.parent.mkdir()
    path.write_bytes(request.param(weights()))
    return "efficientnet-lite0", tmp_path, [path]


def refused_or_read(name, folder, path):
    """Damaged weights are other tensors, no larger than the file, or are refused by the file's name."""
    found, said = {}, ""
    try:
        found = load(name, folder)
    except ExperimentError as refusal:
        said = str(refusal)
    assert said.isprintable()
    assert found or path.stem in said
    for array in found.values():
        assert isinstance(array, np.ndarray)
        assert array.nbytes <= 2 * path.stat().st_size


def test_damaged_weights_are_refused_by_name_or_are_other_tensors(written):
    name, folder, (path,) = written
    before = path.read_bytes()
    for end in range(0, len(before), len(before) // 40):
        path.write_bytes(before[:end])
        with pytest.raises(ExperimentError, match=LITE0):
            load(name, folder)
    path.write_bytes(before)
    damage_files(written, refused_or_read, 0, 100)


@pytest.mark.slow
def test_many_damaged_weights_are_refused_by_name_or_are_other_tensors(written):
    damage_files(written, refused_or_read, int(os.environ.get("NTKEXEC_FUZZ_SEED", "1")), 4000)


def test_a_set_is_taken_from_the_users_folder_first_and_else_from_an_installed_package(
    tmp_path, monkeypatch
):
    row = data_set("efficientnet-lite0")
    inner = row.package.partition("(")[2].rstrip(")")
    packaged, own = tmp_path / "site" / inner, tmp_path / "own" / LITE0
    for path, value in ((packaged, 1), (own, 2)):
        path.parent.mkdir(parents=True)
        path.write_bytes(torch_files.legacy({"w": tensor("0", np.full(1, value))}))
    monkeypatch.setattr(sys, "path", [])
    assert file_in_package(row) is None
    with pytest.raises(DataMissingError, match="install the package efficientnet-lite0"):
        load_carried("efficientnet-lite0", None)
    (absent,) = entries([row.name], None, {})
    assert absent.to_data()["carried"] is None
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    (listed,) = entries([row.name], tmp_path, {})
    assert (listed.found, listed.carried) == (None, packaged)
    assert f"{row.name}  (in an installed package)" in text([listed], tmp_path)
    for data, value in ((None, 1), (tmp_path / "none", 1), (own.parent, 2)):
        assert load_carried("efficientnet-lite0", data)["w"] == value
    packaged.write_bytes(b"")
    with pytest.raises(ExperimentError, match=LITE0):
        load_carried("efficientnet-lite0", None)


STORED = b"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI4\ntQ"
REBUILT = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORED + b"I0\n(I4\nt(I1\ntI00\n(dt"


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        # Attributes that were checked by nobody, with which memory outside the file would be read.
        (REBUILT + b"R}(Vstrides\n(I-8\ntub", "sets attributes of a _Tensor"),
        (REBUILT[:-3] + b"(d(Vneg\nI01\ndtR", "to be read in another way"),
        # A tuple of itself twice, 60 times, which would take years to hash.
        (b"((Va\nt" + b"q\x01h\x01\x86" * 60 + b"I1\nd", "a key that is no word"),
        (b"\x8f(I1\n\x90", "holds a set"),
    ],
)
def test_a_pickle_that_would_go_round_the_checks_is_refused_at_once(tmp_path, tensor, says):
    whole = b"\x80\x02(Vw\n" + tensor + b"d."
    head = b"".join(pickle.dumps(one, 2) for one in (0x1950A86A20F9469CFC6C, 1001))
    head += pickle.dumps({"little_endian": True}, 2)
    path = tmp_path / LITE0
    path.write_bytes(head + whole)
    with pytest.raises(ExperimentError, match=says):
        torch_weights.read(path, "w", "")
