"""How a graph is named in text: `name:value,key=value`, with every argument checked."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import networkx as nx
import numpy as np

from ntkexec.errors import GraphError, did_you_mean, shown

# Nodes plus edges; networkx needs some 10 GB for as many.
MAX_SIZE = 20_000_000
INT32 = np.iinfo(np.int32)

Value = int | float | tuple[int, int] | None


@dataclass(frozen=True)
class Parameter:
    """One argument of a generator.

    Attributes:
        name: its key.
        kind: "integer"; "probability", a float in 0..1; "flag", 0 or 1; "range", the integers
            `low..high`.
        minimum: smallest integer allowed.
        maximum: largest integer allowed.
        required: whether it must be given.
        default: its value if it is not.
    """

    name: str
    kind: Literal["integer", "probability", "flag", "range"] = "integer"
    minimum: int = 1
    maximum: int = MAX_SIZE
    required: bool = True
    default: Value = None

    def convert(self, text: str) -> Value:
        """The value that `text` means.

        Raises:
            GraphError: names the parameter, the text and what was expected.
        """
        expected, value = _CONVERTERS[self.kind](self, text)
        if value is None:
            raise GraphError(f"{self.name} is {shown(text)}; expected {expected}")
        return value


@dataclass(frozen=True)
class Generator:
    """A family of graphs that can be called by name.

    Attributes:
        name: what stands before the colon.
        help: one line on what it makes and how its nodes are numbered.
        example: a spec that parses.
        build: makes the graph from its parameters, given by keyword.
        parameters: its own parameters, in the order of unnamed arguments.
        size: number of nodes plus edges to expect, from the same keywords.
    """

    name: str
    help: str
    example: str
    build: Callable[..., nx.Graph]
    parameters: tuple[Parameter, ...] = ()
    size: Callable[..., float] = lambda **_: 0.0

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """Its own parameters, then those of `COMMON` that it does not define itself."""
        own = {parameter.name for parameter in self.parameters}
        return self.parameters + tuple(p for p in COMMON if p.name not in own)

    @property
    def usage(self) -> str:
        """The spec with all parameters, optional ones in brackets: `tree:n[,d,seed,...]`."""
        required = [p.name for p in self.all_parameters if p.required]
        optional = [p.name for p in self.all_parameters if not p.required]
        if not required:
            return f"{self.name}[:{','.join(optional)}]"
        return f"{self.name}:{','.join(required)}[,{','.join(optional)}]"


SEED = Parameter("seed", minimum=0, maximum=2**32 - 1, required=False, default=0)
DIRECTED = Parameter("directed", kind="flag", required=False, default=0)
COMMON = (SEED, DIRECTED, Parameter("weights", kind="range", required=False))


def parse_arguments(generator: Generator, text: str) -> dict[str, Value]:
    """The value of every parameter of a generator, given what stands after the colon.

    Args:
        generator: whose parameters to fill.
        text: arguments between commas, unnamed ones first; `8x8` is short for `8,8`.

    Raises:
        GraphError: an argument is unknown, missing, repeated or does not convert.
    """
    parameters = {parameter.name: parameter for parameter in generator.all_parameters}
    unnamed, named = _split(text)
    if len(unnamed) > len(generator.parameters):
        raise GraphError(f"{len(unnamed)} unnamed arguments are too many; {_valid(generator)}")
    given = list(zip(generator.parameters, unnamed, strict=False))
    for name, value in named:
        if name not in parameters:
            near = did_you_mean(name, parameters)
            raise GraphError(f"parameter {shown(name)} is unknown; {_valid(generator)}{near}")
        given.append((parameters[name], value))
    values: dict[str, Value] = {}
    for parameter, value in given:
        if parameter.name in values:
            raise GraphError(f"parameter {parameter.name} is given twice")
        values[parameter.name] = parameter.convert(value)
    for parameter in parameters.values():
        if parameter.required and parameter.name not in values:
            raise GraphError(
                f"parameter {parameter.name} is missing; {_valid(generator)}, "
                f"for example {generator.example}"
            )
        values.setdefault(parameter.name, parameter.default)
    return values


def check_size(generator: Generator, values: Mapping[str, Value]) -> None:
    """Raises if the graph would be too large to hold.

    Raises:
        GraphError: names the size to expect and the limit.
    """
    size = generator.size(**{p.name: values[p.name] for p in generator.parameters})
    if size > MAX_SIZE:
        raise GraphError(f"about {size:.2g} nodes and edges; at most {MAX_SIZE:.2g} are built")


def _split(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    unnamed: list[str] = []
    named: list[tuple[str, str]] = []
    for argument in text.split(",") if text.strip() else ():
        key, equals, value = (part.strip() for part in argument.partition("="))
        if equals:
            named.append((key, value))
        elif named:
            raise GraphError(f"the unnamed argument {shown(key)} follows a named one; put it first")
        elif re.fullmatch(r"[0-9]+(x[0-9]+)+", key):
            unnamed.extend(key.split("x"))
        else:
            unnamed.append(key)
    return unnamed, named


def _valid(generator: Generator) -> str:
    return f"{generator.name} takes {', '.join(p.name for p in generator.all_parameters)}"


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else None


def _convert_integer(parameter: Parameter, text: str) -> tuple[str, Value]:
    value = _integer(text)
    is_valid = value is not None and parameter.minimum <= value <= parameter.maximum
    return f"an integer in {parameter.minimum}..{parameter.maximum}", value if is_valid else None


def _convert_flag(parameter: Parameter, text: str) -> tuple[str, Value]:
    return "0 or 1", {"0": 0, "1": 1}.get(text)


def _convert_probability(parameter: Parameter, text: str) -> tuple[str, Value]:
    is_number = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text)
    value = float(text) if is_number else -1.0
    return "a number in 0..1", value if 0 <= value <= 1 else None


def _convert_range(parameter: Parameter, text: str) -> tuple[str, Value]:
    low, _, high = text.partition("..")
    ends = _integer(low), _integer(high)
    expected = f"integers low..high in {INT32.min}..{INT32.max}, such as 0..3"
    if ends[0] is None or ends[1] is None:
        return expected, None
    is_valid = INT32.min <= ends[0] <= ends[1] <= INT32.max
    return expected, (ends[0], ends[1]) if is_valid else None


_CONVERTERS: Mapping[str, Callable[[Parameter, str], tuple[str, Value]]] = {
    "integer": _convert_integer,
    "probability": _convert_probability,
    "flag": _convert_flag,
    "range": _convert_range,
}
