"""Head traces and jobs of a cluster: read as their files have them, or refused by name."""

import gc
import json
import time

import numpy as np
import pytest
from support.damage import damage_files

from experiments.data import load
from experiments.data.formats.job_graphs import SIZES, JobGraphSet
from experiments.data.formats.viewports import ViewportSet
from ntkexec.errors import ExperimentError

ANGLES = np.linspace(-80, 80, 21).reshape(7, 3).astype(np.float32)
STAGE = {
    "first_wave": {"2": [30, 31], "5": [40, 41, 42]},
    "fresh_durations": {"2": [31], "5": [41]},
    "rest_wave": {"2": [20], "5": []},
}
QUERY = {"n_stages": 3, "edges": [[0, 2], [1, 2]], "stages": {str(i): STAGE for i in range(3)}}


def write_viewports(folder, **changes):
    path = folder / "networking/viewports_Jin2022.npz"
    path.parent.mkdir(exist_ok=True)
    arrays = {
        "time_s": np.array([0, 0.2, 0.4, 0.6, 0, 0.2, 0.2], np.float32),
        "angles_deg": ANGLES,
        "ptr": np.array([0, 4, 7], np.int32),
        "video": np.array([1, 1], np.int16),
        "user": np.array([3, 4], np.int16),
    }
    np.savez(path, **arrays | changes)
    return "viewports-jin2022", path


def write_jobs(folder, query=None, last="tpch_100g.json"):
    (folder / "networking").mkdir(exist_ok=True)
    for size in SIZES:
        path = folder / f"networking/tpch_{size}g.json"
        changed = query if query is not None and path.name == last else QUERY
        path.write_text(json.dumps({"1": QUERY, "7": changed}))
    return "tpch", folder / "networking" / last


def test_traces_are_those_that_were_written(tmp_path):
    found = load(write_viewports(tmp_path)[0], tmp_path)
    assert [(trace.video, trace.user, len(trace.seconds)) for trace in found.traces] == [
        (1, 3, 4),
        (1, 4, 3),
    ]
    np.testing.assert_array_equal(found.traces[1].degrees, ANGLES[4:])


def test_times_are_told_apart_whatever_they_begin_with(tmp_path):
    name, path = write_viewports(tmp_path)
    seconds = np.load(path)["time_s"].astype(np.float64) + 1_700_000_000
    write_viewports(tmp_path, time_s=seconds)
    np.testing.assert_array_equal(load(name, tmp_path).traces[0].seconds, seconds[:4])
    write_viewports(tmp_path, time_s=seconds.astype(np.float32))
    with pytest.raises(ExperimentError, match=r"trace 0 in .* stands still at 3 of 3 steps"):
        load(name, tmp_path)


def test_jobs_are_those_that_were_written(tmp_path):
    found = load(write_jobs(tmp_path)[0], tmp_path)
    assert [(one.gigabytes, one.query) for one in found.graphs] == [
        (size, query) for size in SIZES for query in (1, 7)
    ]
    one = found.graphs[-1]
    assert one.parents == ((), (), (0, 1))
    assert one.stages[0].first == {2: (30, 31), 5: (40, 41, 42)}
    assert one.stages[0].rest == {2: (20,), 5: ()}
    assert (one.num_tasks, one.stages[2].num_tasks) == (9, 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"angles_deg": ANGLES * 2}, "no roll, pitch and yaw within"),
        ({"angles_deg": ANGLES[:, :2]}, "no roll, pitch and yaw within"),
        ({"angles_deg": ANGLES * np.nan}, "not finite"),
        ({"time_s": np.zeros(6, np.float32)}, "7 numbers"),
        ({"time_s": np.full(7, np.inf)}, "not finite"),
        ({"time_s": np.zeros((7, 1))}, "numbers in one row"),
        ({"time_s": -np.arange(7.0)}, "trace 0 in .* backwards"),
        ({"ptr": np.array([0, 0, 7])}, "trace 0 in .* is empty"),
        ({"ptr": np.array([0, 4, 8])}, "does not divide 7 rows"),
        ({"user": np.array([3, 3])}, "two traces of user 3 watching video 1"),
        ({"user": np.array([3])}, "2 videos and 1 users"),
    ],
)
def test_traces_that_do_not_fit_are_named(tmp_path, changes, said):
    name, path = write_viewports(tmp_path, **changes)
    with pytest.raises(ExperimentError, match=said) as refusal:
        load(name, tmp_path)
    assert path.name in str(refusal.value)


def staged(**waves):
    return QUERY | {"stages": QUERY["stages"] | {"1": STAGE | waves}}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([], "no stages"),
        (QUERY | {"n_stages": 4}, "not numbered from 0"),
        (QUERY | {"n_stages": 3.0}, "not numbered from 0"),
        (QUERY | {"n_stages": 10**15}, "not numbered from 0"),
        (QUERY | {"edges": [[0, 2], [0, 2]]}, "twice"),
        (QUERY | {"edges": [[0, 3]]}, "none of 3 stages"),
        (QUERY | {"edges": [[0, True]]}, "no edge"),
        (QUERY | {"edges": [[0, 1], [1, 2], [2, 1]]}, r"\[1, 2\] wait for each other"),
        (QUERY | {"edges": [[1, 1]]}, r"\[1\] wait for each other"),
        (staged(rest_wave=None), "stage 1 lacks one of"),
        (staged(rest_wave={"2": [20]}), "stage 1 are not of the same numbers"),
        (staged(rest_wave={"2": [20], "5": [0]}), "no milliseconds from 1"),
        (staged(rest_wave={"2": [20], "5": [1.5]}), "no milliseconds from 1"),
        (staged(first_wave={"2": [30], "5": []}), "no first wave with 5 executors"),
        (staged(first_wave={"2": [30], "-5": [1]}), "no number above 0"),
        (
            staged(**{wave: {"5": [1], "05": [2]} for wave in STAGE}),
            "'05' is no number above 0 without leading zeros",
        ),
    ],
)
def test_jobs_that_do_not_fit_are_named(tmp_path, query, said):
    name, path = write_jobs(tmp_path, query)
    with pytest.raises(ExperimentError, match=said) as refusal:
        load(name, tmp_path)
    assert path.name in str(refusal.value)
    assert "query '7'" in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"1": QUERY, "01": QUERY}', "'01' is no number above 0 without leading zeros"),
        ('{"1": QUERY, "2": QUERY, "1": QUERY}', "the name '1' is there twice"),
    ],
)
def test_two_queries_of_one_number_are_refused(tmp_path, text, said):
    name, path = write_jobs(tmp_path)
    path.write_text(text.replace("QUERY", json.dumps(QUERY)))
    with pytest.raises(ExperimentError, match=f"(?s){path.name}.*{said}"):
        load(name, tmp_path)


def test_queries_come_by_number(tmp_path):
    name, path = write_jobs(tmp_path)
    path.write_text(json.dumps({"7": QUERY, "1": QUERY}))
    assert [one.query for one in load(name, tmp_path).graphs[-2:]] == [1, 7]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "chain"), [(4000, True), (20_000, False)])
def test_time_to_read_a_job_is_linear_in_its_edges(tmp_path, number, chain):
    name, path = write_jobs(tmp_path)
    # A chain whose last stage is the first, or one stage that waits for all others.
    edges = [[i + 1, i if chain else 0] for i in range(number - 1)]
    stages = {str(i): STAGE for i in range(number)}
    query = {"n_stages": number, "edges": edges, "stages": stages}
    text = json.dumps({"1": query})

    def seconds(written):
        path.write_text(written)
        tried = []
        for _ in range(3):
            # What other tests left in memory is not searched for garbage meanwhile.
            gc.collect()
            gc.disable()
            try:
                begun = time.process_time()
                assert load(name, tmp_path)
                tried.append(time.process_time() - begun)
            finally:
                gc.enable()
        return min(tried)

    # The same stages without edges; what is quadratic takes ten times that.
    without = seconds(json.dumps({"1": query | {"edges": []}}))
    assert seconds(text) < 3 * without + 0.2


def read_or_refused(name, folder, path):
    said = path.name
    try:
        assert isinstance(load(name, folder), ViewportSet | JobGraphSet)
    except ExperimentError as refusal:
        said = str(refusal)
    assert path.name in said
    assert "\n" not in said


@pytest.mark.parametrize("write", [write_viewports, write_jobs])
def test_damaged_files_are_refused_by_name_or_are_others(tmp_path, write):
    name, path = write(tmp_path)
    before = path.read_bytes()
    for content in (b"", b"null", b"[]", b"7", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000):
        path.write_bytes(content)
        with pytest.raises(ExperimentError, match=path.name):
            load(name, tmp_path)
    for end in range(0, len(before), max(1, len(before) // 12)):
        path.write_bytes(before[:end])
        read_or_refused(name, tmp_path, path)
    path.write_bytes(before)
    damage_files((name, tmp_path, sorted(path.parent.iterdir())), read_or_refused, 0, 150)
