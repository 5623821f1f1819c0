"""`ntkexec certify --ensemble`: the complete certificate of a trained ensemble."""

import json
from pathlib import Path
from typing import Any

from ntkexec import complete, ensemble, pipeline
from ntkexec.cli import progress
from ntkexec.cli.own import Own
from ntkexec.complete.storage import finite
from ntkexec.engines import find_engine
from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.programs import split_choice
from ntkexec.programs.registry import program_learned
from ntkexec.runtime import files
from ntkexec.runtime.tables import as_text


def certify_networks(
    algorithm: str,
    folder: Path,
    *,
    mine: Own | None = None,
    graph: str | None,
    all_states: bool,
    out: Path | None,
    as_json: bool,
    **inputs: Any,
) -> bool:
    """Prints a complete certificate, and says whether the ensemble is exact.

    Args:
        algorithm: a shipped one, or what the user calls their own.
        folder: of the ensemble.
        mine: the user's own program, and on a graph its execution.
        graph: of a shipped algorithm.
        all_states, out, as_json: as on the command line.
        inputs: what a shipped algorithm asks.
    """
    name = pipeline.find_algorithm(algorithm).name if mine is None else mine.program.name
    manifest = ensemble.read_manifest(folder)
    digest = None if mine is None else mine.program.digest
    if mine is None and manifest.algorithm == split_choice.split_name(name):
        name = manifest.algorithm
    if manifest.algorithm != name and manifest.program != digest:
        raise EnsembleError(f"the ensemble in {folder} learned {manifest.algorithm}, not {name}")
    instance = None if mine is None else mine.instance
    if graph is not None and all_states:
        raise CertificateError("--all-states and --graph exclude each other")
    if all_states:
        instance = None
    if out is not None and out.parent.resolve() == folder.resolve():
        raise CertificateError(f"{folder} is for weights; write the certificate beside it")
    if out is not None:
        files.check_target(out)
    with progress.bar() as show:
        if mine is not None:
            program = mine.program
        elif graph is not None:
            instance = pipeline.on_graph(
                algorithm,
                graph,
                split_degree="auto",
                seconds=find_engine("ensemble").seconds,
                learned=manifest,
                **inputs,
            )
            program = instance.program
        else:
            program = program_learned(manifest.algorithm, manifest.parameters)
        networks = ensemble.load(folder, LearningProblem(program, manifest.kind, manifest.padding))
        certificate = complete.complete(
            networks,
            all_states=all_states,
            executions=() if instance is None else (complete.ProgramRun.of(instance),),
            report=progress.counted(show, "certifying"),
        )
    data = complete.to_data(certificate, manifest, folder)
    if out is not None:
        complete.write(out, data)
    print(
        json.dumps(_summary(certificate, data))
        if as_json
        else _text(certificate, data, folder, out)
    )
    return certificate.exact


def _summary(certificate: complete.CompleteCertificate, data: dict[str, Any]) -> dict[str, Any]:
    names = certificate.problem.program.layout.bit_names
    kept = (
        "claim",
        "exact",
        "algorithm",
        "parameters",
        "kind",
        "padding",
        "members",
        "width",
        "weight_std",
        "draw",
        "convention",
        "ensemble",
    )
    return {name: data[name] for name in kept} | {
        "program": data["program"]["digest"],
        "invariants": [one.reason for one in certificate.invariants],
        "executions": [one.label for one in certificate.executions],
        "scope": certificate.scope,
        "match_sets": certificate.num_sets,
        "decisions": certificate.num_decisions,
        "wrong": certificate.wrong,
        "unsure": certificate.unsure,
        "unproven_with_products": certificate.unproven,
        "smallest_margin": finite(certificate.smallest_margin),
        "largest_rounding": finite(certificate.largest_rounding),
        "smallest_guaranteed": finite(certificate.tightest.guaranteed),
        "seconds": certificate.seconds,
        "components": [
            {
                "bits": [names[bit] for bit in one.component.bits],
                "templates": len(one.component.templates),
                "match_sets": len(one.matched),
                "wrong": one.wrong,
                "unsure": one.unsure,
                "smallest_margin": finite(one.smallest_margin),
                "largest_rounding": finite(one.largest_rounding),
            }
            for one in certificate.components
        ],
    }


def _text(
    certificate: complete.CompleteCertificate, data: dict[str, Any], folder: Path, out: Path | None
) -> str:
    sizes = [len(one.component.templates) for one in certificate.components]
    tight = certificate.tightest
    if certificate.executions:
        states = "those that occur on " + certificate.scope
    elif certificate.invariants:
        reasons = sorted({one.reason for one in certificate.invariants})
        states = f"all where {' and '.join(reasons)} (every step keeps that: checked)"
    else:
        states = "all"
    rows = [
        ("program", repr(certificate.problem.program)),
        ("ensemble", f"{data['kind']}, {data['members']} member(s) of width {data['width']}"),
        ("networks", f"{data['draw']}, weight_std {data['weight_std']:g}, in {folder}"),
        ("thresholds", f"those stored with them (convention: {data['convention']})"),
        ("components", f"{len(sizes)}, of {min(sizes)} to {max(sizes)} templates"),
        ("states", states),
        (
            "match sets",
            f"{certificate.num_sets:,}, all listed and evaluated in {certificate.seconds:.2f} s",
        ),
        (
            "decisions",
            f"{certificate.num_decisions:,}: {certificate.wrong} wrong, {certificate.unsure} unsure",
        ),
        ("margin", f"at least {certificate.smallest_margin:.4f}, in float64"),
        ("rounding", f"at most {certificate.largest_rounding:.1e}, of any evaluation in float32"),
        ("products", _products(certificate)),
        ("tightest", f"{tight.bit_name}: {tight.mean:.4f} against {tight.threshold:.4f}"),
        ("verdict", data["claim"]),
        ("", "(the learned update is the program's; what the program computes: docs/proofs.md)"),
    ]
    if out is not None:
        rows.append(("stored in", f"{out}; verify: python -m ntkexec.recheck {out} {folder}"))
    return as_text(rows)


def _products(certificate: complete.CompleteCertificate) -> str:
    """For which products of matrices the certificate holds too; runs take them in float32."""
    parts = [
        f"{name}: {'proven' if not number else f'{number:,} decisions not proven'}"
        for name, number in certificate.unproven.items()
    ]
    return (
        "; ".join(parts) + " (runs ask for float32; see ntkexec.theory.rounding for the hardware)"
    )
