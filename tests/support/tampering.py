"""A certificate that was changed, and why the checker refuses it."""

import json

import numpy as np
import pytest
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialise_tensors

from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.verification import verify


def reason(bundle, folder):
    """Why it is refused."""
    path = bundle.write(folder)
    with pytest.raises(Rejected) as caught:
        verify(json.loads(path.read_bytes()), folder)
    return str(caught.value)


def tensors(bundle, name, change):
    found = {key: array.copy() for key, array in parse_tensors(bundle.files[name]).items()}
    change(found)
    bundle.files[name] = serialise_tensors(
        {key: np.ascontiguousarray(array) for key, array in found.items()}
    )


def change_a_template(bundle):
    bundle.proof["program"]["templates"][0][0][0][1] ^= True
