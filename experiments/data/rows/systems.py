"""Traces of networks, of viewers and of clusters."""

from experiments.data.sets import DataSet, Place

KIND = "traces"

NETLLM = "https://github.com/duowuyms/NetLLM"
WU = "Wu et al., NetLLM, SIGCOMM 2024, arXiv:2402.02338"
MAO = "Mao, Netravali and Alizadeh, Pensieve, SIGCOMM 2017"


def _viewports(name: str, file: str, what: str, made_by: str) -> DataSet:
    place = Place(f"networking/{file}", reader="viewports:read")
    return DataSet(name, KIND, what, (place,), NETLLM, f"{made_by}; {WU}")


ROWS = (
    DataSet(
        "abr-fcc",
        KIND,
        "485 traces of broadband: seconds and megabits a second",
        (
            Place("networking/abr_traces_fcc.npz", reader="throughput:read"),
            Place("fcc-test", reader="throughput:read_folder"),
        ),
        NETLLM,
        f"{MAO}; {WU}",
    ),
    DataSet(
        "video-chunks",
        KIND,
        "bytes of 49 chunks of two videos in six qualities",
        (
            Place(
                "networking",
                ("video1_chunk_sizes_bytes.csv", "video2_chunk_sizes_bytes.csv"),
                "throughput:read_videos",
            ),
            Place("video1_sizes", ("video_size_0", "video_size_1"), "throughput:read_qualities"),
        ),
        NETLLM,
        f"{MAO}; {WU}",
    ),
    _viewports(
        "viewports-jin2022",
        "viewports_Jin2022.npz",
        "where 84 viewers of 9 videos looked, five times a second",
        "Jin et al., 2022",
    ),
    _viewports(
        "viewports-wu2017",
        "viewports_Wu2017.npz",
        "where 48 viewers of 5 videos looked, five times a second",
        "Wu et al., 2017",
    ),
    DataSet(
        "tpch",
        KIND,
        "22 queries of TPC-H at three sizes as graphs of stages, with durations of tasks",
        (
            Place(
                "networking",
                tuple(f"tpch_{size}g.json" for size in (2, 20, 100)),
                "job_graphs:read",
            ),
        ),
        NETLLM,
        f"Mao et al., Decima, SIGCOMM 2019, arXiv:1810.01963; {WU}",
    ),
)
