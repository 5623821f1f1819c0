"""A small ensemble that is stored, and what tests of stored ones share."""

import numpy as np
import pytest
from support.ensembles import joint, program

from ntkexec.ensemble import EnsembleConfig, load, train
from ntkexec.errors import EnsembleError

PROBLEM = joint(program([[0], [1], [0, 1]]))
CONFIG = EnsembleConfig(members=5, width=32)
BUDGET = 2 * 8 * 4 * 32 * (3 + 5)  # two members a chunk
SIZES = {"size": 3}


def some_thresholds(problem):
    shape = (problem.program.layout.num_bits, problem.max_matches + 1)
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 7


def train_here(folder, **changes):
    options = {"problem": PROBLEM, "config": CONFIG, "sizes": SIZES, "budget": BUDGET}
    options |= changes
    options.setdefault("thresholds", some_thresholds(options["problem"]))
    problem, config = options.pop("problem"), options.pop("config")
    return train(problem, config, directory=folder, **options)


def refuses(folder, message, problem=PROBLEM):
    with pytest.raises(EnsembleError, match=message) as caught:
        load(folder, problem)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def weight_files(folder):
    return sorted(folder.glob("stack-*.safetensors"))


def some_positions(path):
    size = path.stat().st_size
    return [0, 8, 20, size // 2, size - 1]
