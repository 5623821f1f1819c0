"""Mutations of a certificate and of the ensemble that it is for."""

import copy
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialise_tensors

from benchmarks.bundle import PROOF, Bundle
from ntkexec.ensemble.stored import MANIFEST, THRESHOLDS

VALUES: tuple[Any, ...] = (
    *(0, 1, -1, 2, 3, 10**9, -(10**9), 0.5, 1e30, 1e-30, "", "x", "../x", "-1", "f" * 40),
    *(None, True, False, [], {}, [0], [[]]),
)
NAMES = (
    *("hidden", "output", "residual", "steps", "peak", "hidden_bias", "output_bias"),
    *("hidden_shift", "hidden_bias_shift", "initial_output", "thresholds", "hiddem"),
)


# Each takes the generator and the bundle, which it changes.


def flip_a_bit(rng: np.random.Generator, bundle: Bundle) -> None:
    """One bit of any file, the first bytes more often."""
    name = str(rng.choice([*sorted(bundle.files), MANIFEST, PROOF]))
    content = bytearray(bundle.content(name))
    place = int(rng.integers(len(content) if rng.random() < 0.7 else min(400, len(content))))
    content[place] ^= 1 << int(rng.integers(8))
    bundle.put(name, bytes(content))


def cut_or_extend(rng: np.random.Generator, bundle: Bundle) -> None:
    """Any file, shorter or longer."""
    name = str(rng.choice([*sorted(bundle.files), MANIFEST, PROOF]))
    content = bundle.content(name)
    cut = int(rng.integers(len(content)))
    bundle.put(name, content[:cut] if rng.random() < 0.7 else content + content[:cut])


def edit_the_proof(rng: np.random.Generator, bundle: Bundle) -> None:
    """One entry of the proof."""
    edit(rng, bundle.proof)


def edit_the_manifest(rng: np.random.Generator, bundle: Bundle) -> None:
    """One entry of the manifest."""
    edit(rng, bundle.manifest)


def edit(rng: np.random.Generator, data: Any) -> None:
    """One entry, of any depth, is dropped, doubled, swapped, renamed, added or made another."""
    while True:
        key = _pick(rng, data)
        inner = data[key]
        if not isinstance(inner, (dict, list)) or not inner or rng.random() < 0.35:
            break
        data = inner
    kind = int(rng.integers(7))
    if kind == 0:
        del data[key]
    elif kind == 1 and isinstance(data, list):
        data.insert(int(rng.integers(len(data) + 1)), copy.deepcopy(inner))
    elif kind == 2:
        other = _pick(rng, data)
        data[key], data[other] = data[other], data[key]
    elif kind == 3 and isinstance(data, dict):
        data[key + "_"] = data.pop(key)
    elif kind == 4 and isinstance(data, dict):
        data["more"] = copy.deepcopy(inner)
    elif kind == 5 and type(inner) in (int, float):
        data[key] = inner + int(rng.choice([-1, 1])) * (1 if type(inner) is int else inner / 7)
    elif kind == 5 and type(inner) is bool:
        data[key] = not inner
    else:
        data[key] = copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])


def _pick(rng: np.random.Generator, data: Any) -> Any:
    keys = list(data) if isinstance(data, dict) else list(range(len(data)))
    return keys[int(rng.integers(len(keys)))]


def change_numbers(rng: np.random.Generator, bundle: Bundle) -> None:
    """The same tensors, other numbers."""
    name = _chunk(rng, bundle)
    tensors = {key: array.copy() for key, array in parse_tensors(bundle.files[name]).items()}
    key = str(rng.choice([key for key in sorted(tensors) if key != "steps"]))
    array, kind = tensors[key], int(rng.integers(8))
    flat = array.reshape(-1)
    if kind == 0:
        flat[int(rng.integers(len(flat)))] *= rng.choice([-1, 2, 100, 1e4])
    elif kind == 1:
        array *= array.dtype.type(rng.choice([-1, 0.2, 0.9, 0.999, 1.001, 1.1, 5, 1e20]))
    elif kind == 2:
        array += (rng.choice([1e-6, 0.01, 0.3, 1]) * rng.normal(size=array.shape)).astype(
            array.dtype
        )
    elif kind == 3:
        axis = int(rng.integers(array.ndim))
        tensors[key] = np.ascontiguousarray(np.flip(array, axis))
    elif kind == 4:
        flat[int(rng.integers(len(flat)))] = rng.choice([np.nan, np.inf, 3e38, 0])
    elif kind == 5:
        array[int(rng.integers(len(array)))] = 0
    elif kind == 6:
        # Units in another order in both layers: the same function.
        order = rng.permutation(tensors["hidden"].shape[3])
        for one in tensors:
            axis = 3 if "hidden" in one else 2
            if tensors[one].ndim == 4:
                tensors[one] = np.ascontiguousarray(np.take(tensors[one], order, axis))
    else:
        order = rng.permutation(array.shape[1])
        tensors[key] = np.ascontiguousarray(array[:, order])
    bundle.files[name] = serialise_tensors(tensors)


def change_tensors(rng: np.random.Generator, bundle: Bundle) -> None:
    """Tensors of other names, shapes or types."""
    name = _chunk(rng, bundle)
    tensors = dict(parse_tensors(bundle.files[name]))
    key, kind = str(rng.choice(sorted(tensors))), int(rng.integers(8))
    array = tensors[key]
    axis = int(rng.integers(array.ndim))
    if kind == 0:
        del tensors[key]
    elif kind == 1:
        tensors[str(rng.choice(NAMES))] = array
    elif kind == 2:
        tensors[str(rng.choice(NAMES))] = tensors.pop(key)
    elif kind == 3:
        tensors[key] = np.concatenate([array, array], axis)
    elif kind == 4:
        tensors[key] = np.delete(array, 0, axis)
    elif kind == 5:
        tensors[key] = array.astype(str(rng.choice(["float16", "float64", "int32", "uint8"])))
    elif kind == 6:
        tensors[key] = np.ascontiguousarray(np.swapaxes(array, axis, 0))
    else:
        extra = rng.normal(size=tensors["hidden"].shape).astype(np.float32)
        tensors |= {"hidden_shift": extra, "initial_output": tensors["output"]}
    bundle.files[name] = serialise_tensors(
        {key: np.ascontiguousarray(array) for key, array in tensors.items()}
    )


def change_thresholds(rng: np.random.Generator, bundle: Bundle) -> None:
    """Other numbers, shapes or types of the thresholds."""
    table = parse_tensors(bundle.files[THRESHOLDS])["thresholds"].copy()
    kind, place = int(rng.integers(8)), tuple(int(rng.integers(n)) for n in table.shape)
    if kind == 0:
        table *= np.float32(rng.choice([-1, 0, 0.5, 0.99, 1.01, 1.5, 2, 4]))
    elif kind == 1:
        table[place] *= np.float32(rng.choice([-1, 0, 0.5, 2, 3]))
    elif kind == 2:
        table[place[0]] += np.float32(rng.choice([-1, -0.3, 0.3, 1]))
    elif kind == 3:
        table[:, place[1]] *= np.float32(rng.choice([0, 0.5, 1.9, 3]))
    elif kind == 4:
        table = np.roll(table, 1, axis=int(rng.integers(2)))
    elif kind == 5:
        table[place] = rng.choice([np.nan, np.inf, -np.inf, 3e38, -1e-30])
    elif kind == 6:
        table = np.delete(table, 0, axis=int(rng.integers(2)))
    else:
        table = table.astype(np.float64)
    bundle.files[THRESHOLDS] = serialise_tensors({"thresholds": np.ascontiguousarray(table)})


def change_the_files(rng: np.random.Generator, bundle: Bundle) -> None:
    """Which files there are, under which names and for which members."""
    entries, kind = bundle.manifest["files"], int(rng.integers(8))
    place = int(rng.integers(len(entries)))
    entry, other = entries[place], entries[int(rng.integers(len(entries)))]
    first, second = entry["name"], other["name"]
    if kind == 0:
        entries.insert(int(rng.integers(len(entries) + 1)), copy.deepcopy(entry))
    elif kind == 1:
        del entries[place]
    elif kind == 2:
        bundle.files[first], bundle.files[second] = bundle.files[second], bundle.files[first]
    elif kind == 3:
        entry["chunk"], other["chunk"] = other["chunk"], entry["chunk"]
    elif kind == 4:
        entry["chunk"][int(rng.integers(3))] += int(rng.choice([-1, 1]))
        stack, low, high = entry["chunk"]
        entry["name"] = f"stack-{stack}-members-{low:05d}-{high:05d}.safetensors"
        bundle.files[entry["name"]] = bundle.files.pop(first)
    elif kind == 5:
        bundle.files[first] = bundle.files[second]
    elif kind == 6:
        entry["name"] = str(rng.choice(["../" + first, "./" + first, first.upper(), "/dev/zero"]))
    else:
        del bundle.files[str(rng.choice(sorted(bundle.files)))]


def change_the_folder(rng: np.random.Generator, bundle: Bundle) -> None:
    """Something else stands where a file should."""
    name, kind = str(rng.choice([*sorted(bundle.files), MANIFEST])), int(rng.integers(4))

    def change(folder: pathlib.Path) -> None:
        path = folder / name
        elsewhere = folder.parent / "elsewhere"
        path.replace(elsewhere)
        if kind == 0:
            path.symlink_to(elsewhere)
        elif kind == 1:
            os.mkfifo(path)
        elif kind == 2:
            path.mkdir()
        else:
            path.symlink_to("/dev/zero")

    bundle.after.append(change)


def change_the_scope(rng: np.random.Generator, bundle: Bundle) -> None:
    """Fewer states are looked at than are claimed."""
    proof, kind = bundle.proof, int(rng.integers(6))
    run = {"senders": [], "receivers": [], "initial": ["0"], "num_steps": 1}
    if kind == 0:
        proof["executions"] = [run]
        _only_what_occurs(proof)
    elif kind == 1:
        proof["executions"] = [run | {"label": "all graphs"}]
    elif kind == 2:
        rows = max(proof["match_sets"], key=len)
        del rows[int(rng.integers(len(rows)))]
        proof["decisions"] -= 1
    elif kind == 3:
        words = ("EXACT on every graph", "degree at most 99", "EXACT on every graph: any number")
        proof["claim"] = str(rng.choice(words))
    elif kind == 4 and proof["invariants"]:
        del proof["invariants"][int(rng.integers(len(proof["invariants"])))]
    else:
        bits = rng.choice(20, size=3, replace=False).tolist()
        proof["invariants"].append({"bound": 1, "groups": [[bit] for bit in bits]})


def _only_what_occurs(proof: Any) -> None:
    """Lists and number of decisions of one state of all zeros."""
    zero = [not any(value for _, value in when) for when, _ in proof["program"]["templates"]]
    proof["match_sets"] = []
    for one in proof["components"]:
        own = sum(1 << k for k, t in enumerate(one["templates"]) if zero[t])
        one["match_sets"] = len(proof["match_sets"])
        proof["match_sets"].append([f"{own:x}"])
    proof["decisions"] = sum(len(one["bits"]) for one in proof["components"])


def change_the_program(rng: np.random.Generator, bundle: Bundle) -> None:
    """Another condition, output or number of templates."""
    templates = bundle.proof["program"]["templates"]
    place = int(rng.integers(len(templates)))
    condition, outputs = templates[place]
    kind = int(rng.integers(4))
    if kind == 0 and condition:
        condition[int(rng.integers(len(condition)))][1] ^= True
    elif kind == 1:
        outputs.append(max(outputs) + 1)
    elif kind == 2:
        del templates[place]
    else:
        templates.append(copy.deepcopy(templates[place]))


MUTATORS: dict[str, Callable[[np.random.Generator, Bundle], None]] = {
    "bits flipped": flip_a_bit,
    "files cut or extended": cut_or_extend,
    "entries of the proof": edit_the_proof,
    "entries of the manifest": edit_the_manifest,
    "numbers in tensors": change_numbers,
    "names, shapes, types": change_tensors,
    "thresholds": change_thresholds,
    "files and members": change_the_files,
    "links, pipes, folders": change_the_folder,
    "scope": change_the_scope,
    "program": change_the_program,
}
LEVELS = ("raw", "signed", "proven")
OF_THE_PROOF = ("entries of the proof", "scope")


def _chunk(rng: np.random.Generator, bundle: Bundle) -> str:
    return str(rng.choice([name for name in sorted(bundle.files) if name.startswith("stack-")]))
