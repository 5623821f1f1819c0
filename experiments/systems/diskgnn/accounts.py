"""What an epoch will read, from the layout alone: for sizing a machine before anything is read."""

import dataclasses

from experiments.systems.diskgnn.layout import LEVELS, Layout
from experiments.systems.diskgnn.pages import PAGE, num_runs, padded_bytes, touched
from experiments.systems.diskgnn.reading import Entry, starts_of
from experiments.systems.diskgnn.sampling import SamplePlan


@dataclasses.dataclass(frozen=True)
class Ledger:
    """An epoch in bytes.

    Args:
        entries: of each level, what all batches read of it.
        disk: bytes of the packed rows.
        caches: bytes that the two caches in memory hold.
        largest: bytes of features of the largest batch.
        buffer: bytes of the most pages that one level of one batch reads.
    """

    entries: tuple[Entry, ...]
    disk: int
    caches: int
    largest: int
    buffer: int

    @property
    def fetched(self) -> int:
        """Bytes that the disk gives in an epoch."""
        return sum(entry.fetched for entry in self.entries)

    def memory(self, *, ahead: int, height: int = 0) -> int:
        """Bytes that suffice to train.

        Args:
            ahead: as for `train_pipelined`.
            height: rows to which batches are padded, if that is more than the largest has.
        """
        row_bytes = self.entries[0].row_bytes
        batch = padded_bytes(max(self.largest, height * row_bytes))
        return self.caches + self.buffer + (ahead + 1) * batch

    def __str__(self) -> str:
        lines = [f"{'level':12}{'rows':>10}{'bytes':>14}{'fetched':>14}{'reads':>8}"]
        for one in self.entries:
            lines.append(
                f"{one.level:12}{one.rows:10,}{one.useful:14,}{one.fetched:14,}{one.reads:8,}"
            )
        lines.append(f"{self.disk:,} bytes on the disk, {self.caches:,} of caches in memory")
        return "\n".join(lines)


def ledger(plan: SamplePlan, layout: Layout) -> Ledger:
    """The account of one epoch over the plan's batches.

    Args:
        plan: of the batches.
        layout: of the rows, such as `packed.layout` or what `lay_out` would make.
    """
    entries = {level: Entry(level, 0, layout.row_bytes) for level in LEVELS}
    starts, buffer = starts_of(layout), 0
    for number, batch in enumerate(plan.batches):
        where = layout.located(number, batch.nodes)
        parts = {
            "disk cache": starts[2 + number // layout.segment],
            "packed": starts[2 + len(layout.caches) + number],
        }
        for level in LEVELS:
            slots, reads, pages = where[level].slots, 0, 0
            if level in parts and len(slots):
                numbers = touched(parts[level] + slots * layout.row_bytes, layout.row_bytes)
                reads, pages = num_runs(numbers), len(numbers)
            entries[level] = entries[level].plus(len(slots), reads, pages)
            buffer = max(buffer, pages * PAGE)
    caches = sum(
        padded_bytes(len(part) * layout.row_bytes) for part in (layout.device, layout.host)
    )
    largest = max(len(batch.nodes) for batch in plan.batches) * layout.row_bytes
    return Ledger(tuple(entries.values()), layout.disk_bytes, caches, largest, buffer)
