"""Command lines that nobody means: options with values from a pool of what once went wrong, seeded."""

import random
from collections.abc import Iterator

NASTY = (
    *(
        "",
        "0",
        "-1",
        "1",
        "2",
        "7",
        "-0",
        "+3",
        "1.5",
        "1e400",
        "nan",
        "inf",
        "-inf",
        "0x10",
        "1_000",
    ),
    *("9" * 20, "-" + "9" * 20, "9" * 400, "9" * 5000, "2147483648", "4294967296", "99999999999"),
    *(
        "²",
        "٣",
        "Ⅷ",
        "é" * 200,
        "\udc80",
        "\x1b[31m",
        "a\nb",
        "a\tb",
        "\u202e",
        " ",
        "None",
        "true",
    ),
    *(
        "-",
        "--",
        "=",
        ",",
        ":",
        "..",
        "1..",
        "..1",
        "5..1",
        "1..99999999",
        "1,,2",
        "%s",
        "{}",
        "$HOME",
    ),
    *(
        "/dev/null",
        "/dev/full",
        "/",
        "/proc/self/mem",
        "/nowhere/x",
        "x" * 300,
        "~",
        ".",
        "a/b.png",
    ),
    *("states", "graph", "auto", "kernel", "halt", "fifo", "01", "weight", "x.png", "x.html"),
)
# Graphs that are small, or refused: what files and specs can hold is tried elsewhere.
GRAPHS = ("path:2", "path:3", "cycle:3", "star:3", "gnp:n=3,p=0", "path:0", "path:-1", "pth:2", "")
OPERANDS = {
    "permute": (("10", "1", "0"), ("1",), ("101", "0", "0", "2"), ("x",)),
    "add": (("3", "1"), ("3",), ("-3", "1")),
    "multiply": (("3", "1"), ("3", "x")),
    "sbn": (("sum", "a=1", "b=2"), ("sum", "a="), ("nothing",), ("sum", "c=1")),
}
ALGORITHMS = (
    *("flooding", "bfs", "bfs-queue", "dfs", "dfs-forest", "bellman-ford", "leader-election"),
    *("spanning-tree", "bipartite", "eccentricity", "neighbourhood-size", "triangles"),
    *("greedy-colouring", "independent-set", "cole-vishkin", "rule-110", "life", "nothing"),
)
SIZES = ("degree", "word", "slots", "arrival-bits")
RUN = (
    *("bits", "source", "message", "members", "width", "delta", "seed", "bound", "padding"),
    *("ensemble", "until", "weights", "ties", "html", "rounds", "plot", "degree", "self-loops"),
    *("ensemble-kind", "draw", "descent", "engine"),
)
CERTIFY = (*SIZES, "ensemble", "graph", "out", "bound", "padding", "delta", "decisions", "plot")
TRAIN = (*SIZES, "source", "members", "width", "delta", "decisions", "seed", "bound", "padding")
COMPLEXITY = (
    *(
        "degree",
        "word",
        "graphs",
        "nodes",
        "weights",
        "repeat",
        "ensemble-kind",
        "width",
        "padding",
    ),
    *("members", "delta", "seed", "plot", "certainty"),
)
FLAGS = ("--json", "--no-verify", "--templates", "--all-states", "--quick", "--quiet")


def command_lines(seed: int, number: int) -> Iterator[list[str]]:
    """So many command lines, always the same for a seed."""
    rng = random.Random(seed)
    for _ in range(number):
        yield _command_line(rng)


def _command_line(rng: random.Random) -> list[str]:
    command = rng.choice(("run", "run", "run", "certify", "show", "train", "complexity"))
    if command == "run":
        words = [*_executed(rng), *_options(rng, RUN)]
        if "--engine" not in words:
            words += ["--engine", rng.choice(("kernel", "boolean"))]
    elif command == "complexity":
        # With a number of graphs it would measure for minutes.
        words = [rng.choice(ALGORITHMS), *_options(rng, COMPLEXITY)]
        words += ["--graphs", rng.choice(("0", "-1", "1.5", ""))]
    else:
        names = {"certify": CERTIFY, "show": SIZES, "train": TRAIN}[command]
        words = [rng.choice((*ALGORITHMS, *OPERANDS)), *_options(rng, names)]
        for size in rng.sample(SIZES[:2], rng.randint(0, 2)):
            words += [f"--{size}", rng.choice("123")]
        if command == "train":
            words += ["--out", rng.choice(("/proc/new", "/dev/null", "/dev/null/x"))]
    if rng.random() < 0.3:
        words.append(rng.choice(FLAGS))
    return [command, *words]


def _executed(rng: random.Random) -> list[str]:
    if rng.random() < 0.2:
        name = rng.choice(list(OPERANDS))
        return [name, *rng.choice(OPERANDS[name])]
    return [rng.choice(ALGORITHMS), rng.choice(GRAPHS)]


def _options(rng: random.Random, names: tuple[str, ...]) -> list[str]:
    chosen = rng.sample(names, rng.randint(0, 3))
    return [word for name in chosen for word in (f"--{name}", rng.choice(NASTY))]
