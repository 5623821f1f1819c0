"""`ntkexec show`: a program, its sizes, its fields and its templates."""

import json as encoder
from typing import Annotated, Any

import typer

from ntkexec.cli import options, own, sized

EXAMPLE = "ntkexec show bfs --degree 3 --word 4 --templates"


def command(
    algorithm: options.Program,
    graph: options.GraphOfOwn = None,
    degree: options.Degree = None,
    word: options.Word = None,
    slots: options.Slots = None,
    arrival_bits: options.ArrivalBits = None,
    split_degree: options.SplitAt = None,
    depth_bits: options.DepthBits = None,
    templates: Annotated[bool, typer.Option("--templates", help="List every template.")] = False,
    json: options.Json = False,
) -> None:
    """Show a program: its sizes, its fields, and its templates with the lines they come from."""
    from ntkexec import pipeline, result
    from ntkexec.cli import progress, text
    from ntkexec.program.problem import LearningProblem
    from ntkexec.programs import split_choice
    from ntkexec.programs.sizes import sizes_of
    from ntkexec.report.listings import listing
    from ntkexec.runtime import stages

    own_sizes: dict[str, Any] = {"degree": degree, "word": word, "slots": slots}
    of_shipped: dict[str, Any] = {"arrival_bits": arrival_bits, "depth_bits": depth_bits}
    with progress.bar(), stages.stage(f"counting the matches of {algorithm}"):
        if pipeline.is_shipped(algorithm):
            options.refuse_graph(algorithm, graph)
            chosen, sizes, program = sized.of_sizes(
                algorithm, split_degree, **own_sizes, **of_shipped
            )
            name, about = chosen.name, chosen.summary
        else:
            split_choice.refuse_own(split_degree)
            found = own.own_program(
                algorithm,
                graph,
                state=None,
                steps=None,
                needed=False,
                **own_sizes,
                **of_shipped,
            )
            name, sizes, program = algorithm, {}, found.program
            about = f"your own, of {algorithm}"
        counts = sizes_of(program)
    if not json:
        print(text.program(program, counts, about, sizes, templates=templates))
        return
    data = {
        "algorithm": name,
        "parameters": sizes,
        "program": result.program_data(program, LearningProblem(program)),
        "steps_a_round": program.round_length,
        "nonzeros": program.num_nonzeros,
        "report": counts.to_data(),
    }
    if templates:
        data["templates"] = [program.describe(i) for i in range(program.num_templates)]
        data["listing"] = listing(program)
    print(encoder.dumps(data))
