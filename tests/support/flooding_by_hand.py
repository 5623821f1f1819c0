"""Flooding as it was written by hand before the language: the oracle of the program that took its place."""

from ntkexec.program.layout import Flag, Layout, OneHot, Table, Word
from ntkexec.program.program import Program, Template, template


def program(*, degree: int, slots: int, message_bits: int, arrival_bits: int) -> Program:
    """The flooding program, template by template."""
    layout = Layout(
        computation=(
            Flag("receiving"),
            OneHot("colour", slots),
            Flag("informed"),
            Word("message", message_bits),
            Word("arrival", arrival_bits),
        ),
        messages=(
            Table(
                "inbox",
                slots,
                (Flag("full"), Word("message", message_bits)),
                occupied=min(degree + 1, slots),
            ),
        ),
    )
    templates = [
        *_clock(layout),
        *_keep(layout),
        *_send(layout, message_bits),
        *_receive(layout, slots, message_bits),
        *_count_rounds(layout, arrival_bits),
    ]
    return Program("flooding", layout, tuple(templates), round_length=2)


def _clock(layout: Layout) -> list[Template]:
    receiving = layout.bit("receiving")
    return [template({receiving: 0}, [receiving], "alternate")]


def _keep(layout: Layout) -> list[Template]:
    kept = [*layout.bits("colour"), layout.bit("informed"), *layout.bits("message")]
    return [template({bit: 1}, [bit], "keep") for bit in kept]


def _send(layout: Layout, message_bits: int) -> list[Template]:
    templates = []
    for slot, colour in enumerate(layout.bits("colour")):
        mine = {layout.bit("receiving"): 0, colour: 1}
        full = layout.bit("inbox.full", slot=slot)
        templates.append(template(mine | {layout.bit("informed"): 1}, [full], "send"))
        for b in range(message_bits):
            out = layout.bit("inbox.message", b, slot=slot)
            templates.append(template(mine | {layout.bit("message", b): 1}, [out], "send"))
    return templates


def _receive(layout: Layout, slots: int, message_bits: int) -> list[Template]:
    receiving = {layout.bit("receiving"): 1}
    templates = []
    for slot in range(slots):
        full = layout.bit("inbox.full", slot=slot)
        templates.append(template(receiving | {full: 1}, [layout.bit("informed")], "receive"))
        for b in range(message_bits):
            came = layout.bit("inbox.message", b, slot=slot)
            templates.append(template(receiving | {came: 1}, [layout.bit("message", b)], "receive"))
    return templates


def _count_rounds(layout: Layout, arrival_bits: int) -> list[Template]:
    receiving, informed = layout.bit("receiving"), layout.bit("informed")
    waiting = {receiving: 1, informed: 0}
    bits = layout.bits("arrival")
    templates = []
    for b in range(arrival_bits):
        templates.append(template({receiving: 0, bits[b]: 1}, [bits[b]], "keep"))
        templates.append(template({receiving: 1, informed: 1, bits[b]: 1}, [bits[b]], "keep"))
        # Adding one flips bit b exactly if all lower bits are 1.
        carry = {lower: 1 for lower in bits[:b]}
        templates.append(template(waiting | {bits[b]: 0} | carry, [bits[b]], "count"))
        for lower in bits[:b]:
            templates.append(template(waiting | {bits[b]: 1, lower: 0}, [bits[b]], "count"))
    return templates
