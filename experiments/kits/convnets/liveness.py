"""How many elements a traced model keeps alive at once.

An upper estimate: elementwise operations that `IN_PLACE` does not list stand beside their arguments, and of
a loop of unknown length only what goes in and comes out is looked at.
"""

from collections import Counter

from experiments.kits.convnets.operations import Operation, Value
from experiments.kits.convnets.tracing import BEGIN, CHOSEN, END, Trace

# Element by element, or the same elements in another shape: the result takes its argument's place.
IN_PLACE = {
    "abs", "add", "add_any", "and", "cbrt", "ceil", "clamp", "convert_element_type", "copy", "copy_p",
    "cos", "div", "eq", "erf", "erf_inv", "exp", "exp2", "expand_dims", "expm1", "floor", "ge", "gt",
    "integer_pow", "is_finite", "le", "log", "log1p", "logistic", "lt", "max", "min", "mul", "ne",
    "neg", "not", "or", "pow", "reduce_precision", "rem", "reshape", "round", "rsqrt", "select_n",
    "sign", "sin", "sqrt", "square", "squeeze", "stop_gradient", "sub", "tan", "tanh", "xor", BEGIN, END,
    CHOSEN,
}  # fmt: skip


def peak_elements(trace: Trace) -> int:
    """The most elements alive at once, of all that depends on the inputs.

    A value lives from the operation that makes it to the last that reads it; inputs from the start,
    outputs to the end. What is made element by element takes the place of an argument that is read
    for the last time; everything else stands beside its arguments, also a concatenation. A compiler
    that fuses more keeps fewer.
    """
    last = Counter({value.number: len(trace.operations) for value in trace.outputs})
    for index, operation in enumerate(trace.operations):
        for value in operation.reads:
            last[value.number] = max(last[value.number], index)
    alive = {value.number: value.size for value in trace.inputs}
    # An input that nobody reads is nobody's to keep.
    alive = {number: size for number, size in alive.items() if number in last}
    peak = sum(alive.values())
    for index, operation in enumerate(trace.operations):
        dying = [
            value
            for value in {v.number: v for v in operation.reads}.values()
            if value.number in alive and last[value.number] == index
        ]
        for value in _replaced(operation, dying):
            del alive[value.number]
        alive |= {value.number: value.size for value in operation.makes if value.active}
        peak = max(peak, sum(alive.values()))
        ended = [v.number for v in (*operation.reads, *operation.makes) if last[v.number] <= index]
        for number in ended:
            alive.pop(number, None)
    return peak


def _replaced(operation: Operation, dying: list[Value]) -> list[Value]:
    """Arguments whose places the results take, one each, of the same size."""
    if operation.name not in IN_PLACE:
        return []
    left, taken = list(dying), []
    for made in operation.makes:
        fitting = [value for value in left if value.size == made.size]
        if made.active and fitting:
            left.remove(fitting[0])
            taken.append(fitting[0])
    return taken
