"""The phases in which a `Gather` combines what came in, on graphs split or not."""

from collections.abc import Sequence
from typing import Any

from ntkexec.language import Builder, Sum
from ntkexec.language.logic import FALSE, TRUE
from ntkexec.programs.local.algorithm import Gather, Local
from ntkexec.programs.local.registers import declare, structure
from ntkexec.programs.local.tabulation import Argument, Tabulator, assign_all

Bits = tuple[Sum, ...]

MARK = "mark"


class Gathering:
    """Writes phases of one Gather stage.

    Args:
        algorithm: which has the stage.
        stage: one of its stages.
        p: the program so far.
        table: tabulates functions.
        num_ports: of a node of the graph that is executed on.
    """

    def __init__(
        self, algorithm: Local, stage: Gather, p: Builder, table: Tabulator, num_ports: int
    ) -> None:
        self.algorithm, self.stage, self.p, self.table = algorithm, stage, p, table
        stage.check()
        self.carrier = stage.monoid.carrier
        code = self.carrier.encode(stage.monoid.unit)
        self.unit: Bits = tuple(TRUE if bit else FALSE for bit in code)
        self.marks: list[Bits] = (
            []
            if stage.mark is None
            else [declare(p, stage.mark, f"{MARK}{port}") for port in range(num_ports)]
        )

    def sent(self, state: Sequence[Sum]) -> Bits:
        """What the node sends, silence as the unit, as conditions on the bits of its state."""
        argument: dict[str, Argument] = {"state": (self.algorithm.state, state)}
        return self.table(self._sent, argument, self.carrier, "message of the node itself")

    def count(self, heard: Sequence[Bits], when: Sequence[Sum]) -> None:
        """The phase in which messages become what they count as; nothing where they count themselves.

        Args:
            heard: registers of the messages by port.
            when: by port, where there is one.
        """
        stage = self.stage
        if stage.mark is None or stage.value is None:
            return
        # All tables before the phase, in which nothing else is to happen.
        found = [
            self.table(
                stage.value,
                {"message": (self.carrier, bits), "mark": (stage.mark, mark)},
                self.carrier,
                f"value at port {port}",
            )
            for port, (bits, mark) in enumerate(zip(heard, self.marks, strict=True))
        ]
        with self.p.phase("value"):
            for bits, values, condition in zip(heard, found, when, strict=True):
                assign_all(self.p, bits, values, when=condition)

    def combine(self, total: Bits, heard: Sequence[Bits]) -> None:
        """The phases after which `total` has itself and everything heard combined."""
        monoid = self.stage.monoid
        if monoid.body is not None:
            monoid.body(self.p, total, heard, "combine")
            return
        for port, bits in enumerate(heard):
            label = f"combine port {port}"
            arguments: dict[str, Argument] = {
                "one": (self.carrier, total),
                "other": (self.carrier, bits),
            }
            found = self.table(monoid.combine, arguments, self.carrier, label)
            with self.p.phase(label):
                assign_all(self.p, total, found)

    def updated(self, state: Bits, total: Bits) -> Bits:
        """The next state, by the table of the stage's function."""
        return self.table(
            self.stage.function, self._both(state, total), self.algorithm.state, "update"
        )

    def next_message(self, state: Bits, total: Bits) -> Bits:
        """What the node sends in the next state, silence as the unit, by the table of both functions."""
        function = self.stage.function
        return self.table(
            lambda one, combined: self._sent(function(one, combined)),
            self._both(state, total),
            self.carrier,
            "next message",
        )

    def body(self, state: Bits, total: Bits, *, when: Sum = TRUE) -> None:
        """The phases of the stage's body, whose statements are carried out where a condition holds."""
        assert self.stage.body is not None, "a stage without a body has a table"
        with self.p.when(when):
            self.stage.body(
                self.p, structure(self.algorithm.state, state), structure(self.carrier, total)
            )

    def _both(self, state: Bits, total: Bits) -> dict[str, Argument]:
        return {"state": (self.algorithm.state, state), "total": (self.carrier, total)}

    def _sent(self, state: Any) -> Any:
        message = self.algorithm.send(state)
        return self.stage.monoid.unit if message is None else message
