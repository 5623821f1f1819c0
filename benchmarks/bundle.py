"""A certificate and the ensemble that it is for, as files to be tampered with and sealed again."""

import copy
import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialise_tensors

from ntkexec.ensemble.chunk_files import NO_DIGEST
from ntkexec.ensemble.stored import MANIFEST, PLAN, THRESHOLDS, as_json, sha256

PROOF = "proof.json"


@dataclasses.dataclass
class Bundle:
    """A certificate and the files of its ensemble, to be tampered with.

    Args:
        proof: the certificate, as data or, once damaged beyond that, as bytes.
        manifest: likewise `ensemble.json`.
        files: the others by name.
        after: what is done to the folder after it was written.
    """

    proof: Any
    manifest: Any
    files: dict[str, bytes]
    after: list[Callable[[pathlib.Path], None]] = dataclasses.field(default_factory=list)

    def copy(self) -> "Bundle":
        """One to be changed without this one."""
        return copy.deepcopy(self)

    def content(self, name: str) -> bytes:
        """What the file of that name holds: one of `files`, `ensemble.json` or `proof.json`."""
        if name in (MANIFEST, PROOF):
            return _bytes(self.manifest if name == MANIFEST else self.proof)
        return self.files[name]

    def put(self, name: str, content: bytes) -> None:
        """Gives the file of that name another content, whatever it is."""
        if name == MANIFEST:
            self.manifest = content
        elif name == PROOF:
            self.proof = content
        else:
            self.files[name] = content

    def write(self, folder: pathlib.Path) -> pathlib.Path:
        """Writes the folder anew, and the certificate beside it, whose path is returned."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        (folder / MANIFEST).write_bytes(_bytes(self.manifest))
        path = folder.parent / PROOF
        path.write_bytes(_bytes(self.proof))
        for change in self.after:
            change(folder)
        return path


def read_bundle(proof: Any, folder: pathlib.Path) -> Bundle:
    """What was written honestly."""
    found = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    manifest = json.loads(found.pop(MANIFEST))
    return Bundle(json.loads(json.dumps(proof)), manifest, found)


def _bytes(data: Any) -> bytes:
    return data if isinstance(data, bytes) else as_json(data)


def sign(bundle: Bundle) -> None:
    """Makes all sizes, digests and stamps, and what the proof says of the folder, fit."""
    manifest, proof = bundle.manifest, bundle.proof
    program = proof["program"]
    content = {key: program[key] for key in ("layout", "templates", "round_length")}
    digest = sha256(json.dumps(content, sort_keys=True).encode())
    if digest != program["digest"]:
        program["digest"] = manifest["program"] = digest
    table = bundle.files[THRESHOLDS]
    manifest["thresholds"] |= {"bytes": len(table), "sha256": sha256(table)}
    plan = {key: value for key, value in manifest.items() if key != "files"}
    bundle.files[PLAN] = as_json(plan)
    for entry in manifest["files"]:
        stack, first, last = entry["chunk"]
        stamp = f"{sha256(bundle.files[PLAN])} stack {stack} members {first}-{last}"
        tensors = parse_tensors(bundle.files[entry["name"]])
        blank = serialise_tensors(tensors, metadata={"plan": f"{stamp} {NO_DIGEST}"})
        sealed = blank.replace(NO_DIGEST.encode(), sha256(blank).encode(), 1)
        bundle.files[entry["name"]] = sealed
        entry |= {"bytes": len(sealed), "sha256": sha256(sealed)}
    proof["ensemble"] = sha256(as_json(manifest))
    for name in ("algorithm", "parameters", "kind", "padding", "convention"):
        proof[name] = manifest[name]
    for name in ("members", "width", "weight_std", "draw"):
        proof[name] = manifest["config"][name]
