"""What `certify --ensemble` does: the complete certificate of a trained ensemble."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from ntkexec import complete, ensemble, files, pipeline
from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.summary import table


def certify(
    algorithm: str,
    folder: Path,
    *,
    graph: str | None,
    all_states: bool,
    out: Path | None,
    as_json: bool,
) -> bool:
    """Prints a complete certificate, and says whether the ensemble is exact."""
    pipeline.find_algorithm(algorithm)
    manifest = ensemble.read_manifest(folder)
    if manifest.algorithm != algorithm:
        raise EnsembleError(
            f"the ensemble in {folder} learned {manifest.algorithm}, not {algorithm}"
        )
    if graph is not None and all_states:
        raise CertificateError("--all-states and --graph exclude each other")
    if out is not None and out.parent.resolve() == folder.resolve():
        raise CertificateError(f"{folder} is for weights; write the certificate beside it")
    if out is not None:
        files.check_target(out)
    instance = None
    if graph is not None:
        instance = pipeline.prepare(algorithm, graph, parameters=manifest.parameters)
        program = instance.program
    else:
        program = pipeline.find_algorithm(algorithm).program(**manifest.parameters)
    certificate = pipeline.certify(
        program, kind=manifest.kind, padding=manifest.padding, num_decisions=1, instance=instance
    )
    networks = ensemble.load(folder, certificate.problem)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("certifying", total=None)
        found = complete.complete(
            networks,
            certificate,
            all_states=all_states,
            executions=() if instance is None else (complete.executed(instance),),
            report=lambda done, total: bar.update(task, completed=done, total=total),
        )
    data = complete.to_data(found, manifest, folder)
    if out is not None:
        complete.write(out, data)
    print(json.dumps(_summary(found, data)) if as_json else _text(found, data, folder, out))
    return found.exact


def _summary(found: complete.CompleteCertificate, data: dict[str, Any]) -> dict[str, Any]:
    names = found.problem.program.layout.bit_names
    kept = ("claim", "exact", "algorithm", "parameters", "kind", "padding", "members", "width")
    return {name: data[name] for name in kept} | {
        "program": data["program"]["digest"],
        "invariants": [one["reason"] for one in data["invariants"]],
        "executions": [one["label"] for one in data["executions"]],
        "match_sets": found.num_sets,
        "decisions": found.num_decisions,
        "wrong": found.wrong,
        "unsure": found.unsure,
        "unproven_with_products": found.unproven,
        "smallest_margin": found.smallest_margin,
        "largest_rounding": found.largest_rounding,
        "smallest_guaranteed": found.tightest.guaranteed,
        "seconds": found.seconds,
        "components": [
            {
                "bits": [names[bit] for bit in one.component.bits],
                "templates": len(one.component.templates),
                "match_sets": len(one.matched),
                "wrong": one.wrong,
                "unsure": one.unsure,
                "smallest_margin": one.smallest_margin,
                "largest_rounding": one.largest_rounding,
            }
            for one in found.components
        ],
    }


def _text(
    found: complete.CompleteCertificate, data: dict[str, Any], folder: Path, out: Path | None
) -> str:
    sizes = [len(one.component.templates) for one in found.components]
    tight = found.tightest
    if found.executions:
        states = "those that occur on " + ", ".join(one.label for one in found.executions)
    elif found.invariants:
        reasons = sorted({one.reason for one in found.invariants})
        states = f"all where {' and '.join(reasons)} (every step keeps that: checked)"
    else:
        states = "all"
    rows = [
        ("program", repr(found.problem.program)),
        ("ensemble", f"{data['kind']}, {data['members']} member(s) of width {data['width']}"),
        ("weights", f"{len(data['files'])} file(s) in {folder}"),
        ("components", f"{len(sizes)}, of {min(sizes)} to {max(sizes)} templates"),
        ("states", states),
        ("match sets", f"{found.num_sets:,}, all listed and evaluated in {found.seconds:.2f} s"),
        ("decisions", f"{found.num_decisions:,}: {found.wrong} wrong, {found.unsure} unsure"),
        ("margin", f"at least {found.smallest_margin:.4f}, in float64"),
        ("rounding", f"at most {found.largest_rounding:.1e}, of any evaluation in float32"),
        ("products", _products(found)),
        ("tightest", f"{tight.bit_name}: {tight.mean:.4f} against {tight.threshold:.4f}"),
        ("verdict", data["claim"]),
        ("", "(the learned update is the program's; what the program computes: docs/proofs.md)"),
    ]
    if out is not None:
        rows.append(("stored in", f"{out}; verify: python -m ntkexec.recheck {out} {folder}"))
    return table(rows)


def _products(found: complete.CompleteCertificate) -> str:
    """For which products of matrices the certificate holds too; runs take them in float32."""
    parts = [
        f"{name}: {'proven' if not number else f'{number:,} decisions not proven'}"
        for name, number in found.unproven.items()
    ]
    return "; ".join(parts) + " (runs take float32 on every device)"
