"""The bytes of collectives, read from programs as text; live programs are in the tests of children."""

import textwrap

import pytest

from experiments.kits.mesh.collectives import Collective, collectives_of, total_bytes
from ntkexec.errors import ExperimentError

HEADER = (
    "HloModule jit_f, is_scheduled=true, entry_computation_layout={()->f32[]}, num_partitions=8\n"
)
SUM = """
%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %c = f32[] add(%a, %b)
}
"""


def program(line, *, x="f32[6,4]{1,0}", before=SUM):
    line = textwrap.indent(line, "  ")
    entry = f"ENTRY %main (x: {x}) -> f32[] {{\n  %x = {x} parameter(0)\n{line}\n}}\n"
    return f"{HEADER}{before}\n{entry}"


@pytest.mark.parametrize(
    ("line", "kind", "group", "received", "sent"),
    [
        ("%g = f32[48,4] all-gather(%x), replica_groups={}, dimensions={0}", "all-gather", 8, 672, 672),
        (
            "%s = (f32[6,4], f32[12,4]) all-gather-start(%x), replica_groups={{0,1},{2,3},{4,5},{6,7}}\n"
            "%d = f32[12,4] all-gather-done(%s)",
            "all-gather", 2, 96, 96,
        ),
        ("%r = f32[6,4] all-reduce(%x), replica_groups=[2,4]<=[8], to_apply=%add",
         "all-reduce", 4, 144, 144),
        ("%r = f32[6,4] all-reduce(%x), replica_groups=[4,2]<=[2,4]T(1,0), to_apply=%add",
         "all-reduce", 2, 96, 96),
        ("%r = f32[6,4] all-reduce(%x), replica_groups={{0},{1},{2},{3},{4},{5},{6},{7}}, to_apply=%add",
         "all-reduce", 1, 0, 0),
        ("%t = f32[6,4] all-to-all(%x), replica_groups={{0,1,2},{3,4,5}}, dimensions={0}",
         "all-to-all", 3, 64, 64),
        ("%p = f32[6,4] collective-permute(%x), source_target_pairs={{0,1},{1,0},{2,2}}",
         "collective-permute", 8, 96, 96),
        ("%p = f32[6,4] collective-permute(%x), source_target_pairs={{2,2}}",
         "collective-permute", 8, 0, 0),
        ("%b = f32[6,4] collective-broadcast(%x), replica_groups={{0,1,2}}",
         "collective-broadcast", 3, 96, 192),
        ("%s = f32[3,4] reduce-scatter(%x), replica_groups={{0,1}}, dimensions={0}, to_apply=%add",
         "reduce-scatter", 2, 48, 48),
    ],
)  # fmt: skip
def test_every_kind_moves_what_the_convention_says(line, kind, group, received, sent):
    (found,) = collectives_of(program(line))
    assert (found.kind, found.group, found.times) == (kind, group, 1)
    assert (found.bytes_received, found.bytes_sent) == (received, sent)
    assert found.operand_bytes == 96
    assert total_bytes([found, found]) == {kind: 2 * received}


@pytest.mark.parametrize(
    ("x", "size"),
    [("pred[5]", 1), ("bf16[5]{0}", 2), ("f8e4m3fn[5]", 1), ("c64[5]", 8), ("s4[5]", 1)],
)
def test_items_have_their_size(x, size):
    (found,) = collectives_of(program("%g = y all-gather(%x), replica_groups={{0,1}}", x=x))
    assert found.bytes_received == 5 * size


def test_operands_that_are_reduced_together_are_collectives_each():
    line = "%y = bf16[3] convert(%x)\n%r = (f32[6,4], bf16[3]) all-reduce(%x, %y), replica_groups={{0,1}}"
    assert [one.shape for one in collectives_of(program(line))] == [(6, 4), (3,)]


def test_operands_for_each_device_are_one():
    line = "%t = (f32[6,4], f32[6,4]) all-to-all(%x, /*index=1*/%x), replica_groups={{0,1}}"
    (found,) = collectives_of(program(line))
    assert (found.shape, found.bytes_received) == ((2, 6, 4), 96)


@pytest.mark.parametrize(
    ("result", "opcode"),
    [
        ("(f32[6,4]{1,0}, bf16[3]{0})", "collective-permute"),
        ("((f32[6,4], bf16[3]), (f32[6,4], bf16[3]), u32[], u32[])", "collective-permute-start"),
    ],
)
def test_operands_that_are_permuted_together_are_all_sent(result, opcode):
    line = (
        f"%y = bf16[3] convert(%x)\n%p = {result} {opcode}(%x, %y), source_target_pairs={{{{0,1}}}}"
    )
    assert total_bytes(collectives_of(program(line))) == {"collective-permute": 96 + 6}


def looping(trips):
    body = (
        f"{SUM}\n%body (x: f32[6,4]) -> f32[6,4] {{\n  %x.1 = f32[6,4] parameter(0)\n"
        "  ROOT %r = f32[6,4] all-reduce(%x.1), replica_groups={{0,1}}, to_apply=%add\n}\n"
        "\n%cond (x: f32[6,4]) -> pred[] {\n  %x.2 = f32[6,4] parameter(0)\n"
        "  ROOT %p = f32[6,4] all-to-all(%x.2), replica_groups={{0,1}}, dimensions={0}\n}\n"
    )
    line = f"%w = f32[6,4] while(%x), condition=%cond, body=%body{trips}"
    return program(line, before=body)


def test_a_loop_runs_its_body_as_often_as_it_says_and_asks_once_more():
    text = looping(', backend_config={"known_trip_count":{"n":"5"}}')
    assert {one.kind: one.times for one in collectives_of(text)} == {
        "all-reduce": 5,
        "all-to-all": 6,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (looping(""), "w is a loop without a known trip count in which p .all-to-all. runs"),
        (
            looping("").replace("while(", "conditional(").replace("condition=%cond, body=%body",
            "branch_computations={%body, %add}"),
            "w decides while it runs whether r .all-reduce. runs",
        ),
        (program("%s = f32[6,4] ragged-all-to-all(%x)"), "s moves bytes that no text tells"),
        (program("%g = f32[6,4] all-gather(%x), replica_groups={{0,1},{2}}"), "g has groups of several"),
        (program("%g = f32[6,4] all-gather(%x), replica_groups=mesh"), "g has groups that this cannot"),
        (program("%p = f32[6,4] collective-permute(%x)"), "p is a permutation without pairs"),
        (
            program("%p = f32[6,4] collective-permute(%x, %x, %x, %x), source_target_pairs={{0,1}}"),
            "p permutes 4 operands, of which",
        ),
        (program("%p = nothing"), "p is no instruction"),
        ("HloModule f\n", "has no entry"),
        ("module @jit_f {}", "begins with HloModule"),
    ],
)  # fmt: skip
def test_what_tells_nothing_of_bytes_is_refused_by_name(text, said):
    with pytest.raises(ExperimentError, match=said):
        collectives_of(text)


def test_pieces_are_as_equal_as_whole_elements_allow():
    """By counting: everybody reduces a piece, and gets the others'."""
    for group in range(1, 6):
        for elements in range(1, 12):
            pieces = [len(range(k, elements, group)) for k in range(group)]
            received = max((group - 1) * one + elements - one for one in pieces) if group > 1 else 0
            one = Collective("r", "all-reduce", "f32", (elements,), group, 0, 1)
            assert one.bytes_received == 4 * received
