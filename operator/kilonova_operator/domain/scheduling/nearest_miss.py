"""What the host that came nearest lacks, said without its name."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, PCPU, VCPU
from kilonova_operator.domain.scheduling.columns import (
    BoolArray,
    FloatArray,
    HostColumns,
    IntArray,
)
from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.describe import (
    count_cells,
    describe_pages,
)
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology
from kilonova_operator.domain.scheduling.numa.lack import CellLack, find_lack
from kilonova_operator.domain.scheduling.numa.topology import NumaState
from kilonova_operator.domain.scheduling.request import RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_WORDS: Mapping[str, str] = {
    VCPU: "virtual CPUs",
    PCPU: "dedicated CPUs",
    MEMORY_MB: "MiB of memory",
    DISK_GB: "GiB of disk",
}
_MOST_HOSTS_WITH_CELLS = 256
"""Cells are looked at one host at a time: of those that lack least otherwise."""


@dataclass(frozen=True, slots=True)
class _Room:
    """What each host lacks of one class, and whether more of it would do."""

    name: str
    wanted: int
    lack: IntArray
    helps: BoolArray
    total: IntArray
    max_unit: IntArray


def find_nearest_miss(
    columns: HostColumns, rows: IntArray, asked: RequestClass
) -> str | None:
    """Say what the host lacks that would need the least more.

    rows: hosts that pass everything but room. Where more room would help none of
    them, what bars them all. None: there are none, or they are barred by one thing
    and another.
    """
    hosts = HostRows(columns, rows)
    rooms = [_judge(hosts, name, amount) for name, amount in asked.amounts if amount]
    if not len(rows):
        return None
    sums, possible = np.zeros(len(rows)), hosts.pass_all()
    for room in rooms:
        sums += room.lack / room.wanted
        possible &= room.helps
    if asked.numa is not None:
        sums[~possible] = np.inf
        return _find_among_cells(hosts, asked.numa, rooms, sums)
    possible &= sums > 0
    if not possible.any():
        return next(_tell_bars(rooms), None)
    nearest = int(np.where(possible, sums, np.inf).argmin())
    return f"One host lacks {_list_lacks(rooms, nearest)}."


def _judge(hosts: HostRows, name: str, amount: int) -> _Room:
    total, max_unit = hosts.amount("total", name), hosts.amount("max_unit", name)
    ratio = hosts.ratio(name)
    capacity = (total - hosts.amount("reserved", name)) * ratio
    lack = np.ceil(hosts.taken(name) + amount - capacity)
    helps = (total > 0) & (hosts.amount("min_unit", name) <= amount)
    helps &= amount % np.maximum(hosts.amount("step_size", name), 1) == 0
    # The most that one guest may have grows with the host, where it is all of it.
    helps &= (max_unit >= amount) | ((max_unit >= total) & (ratio <= 1))
    shared = hosts.find_shared(name, amount)
    if shared is not None:
        lack[shared] = 0
        helps |= shared
    lack = np.maximum(lack, 0).astype(np.int64)
    return _Room(name, amount, lack, helps, total, max_unit)


def _find_among_cells(
    hosts: HostRows, guest: GuestTopology, rooms: Sequence[_Room], sums: FloatArray
) -> str | None:
    """Say what the nearest host lacks, in its NUMA cells as well.

    sums: what each lacks otherwise; infinite where more would not help.
    """

    @cache
    def look(state: NumaState | None, limits: NumaLimits) -> CellLack | None:
        return find_lack(state, guest, limits)

    order = np.argsort(sums, kind="stable")[:_MOST_HOSTS_WITH_CELLS]
    order = order[np.isfinite(sums[order])]
    if not len(order):
        return next(_tell_bars(rooms), None)
    near = hosts.some(order)
    ratios = zip(near.ratio(VCPU).tolist(), near.ratio(MEMORY_MB).tolist(), strict=True)
    states = near.list_numa()
    misses = [
        (float(sums[row]) + _weigh(lack, guest), int(row), lack)
        for row, state, limits in zip(order, states, ratios, strict=True)
        if (lack := look(state, NumaLimits(*limits))) is not None
    ]
    misses = [miss for miss in misses if miss[0] > 0]
    if misses:
        _, row, lack = min(misses)
        return f"One host lacks {_list_lacks(rooms, row, lack, guest)}."
    if all(state is None or len(state.cells) < len(guest.cells) for state in states):
        return f"No host that passes all else has {count_cells(guest)}."
    return None


def _weigh(lack: CellLack, guest: GuestTopology) -> float:
    """Return the share of what the guest wants that is missing."""
    cpus = sum((cell.shared | cell.dedicated).bit_count() for cell in guest.cells)
    memory_mib = sum(cell.memory_mib for cell in guest.cells)
    missing = lack.dedicated_cpus + lack.shared_cpus
    return missing / max(cpus, 1) + lack.memory_mib / max(memory_mib, 1)


def _list_lacks(
    rooms: Sequence[_Room],
    row: int,
    lack: CellLack | None = None,
    guest: GuestTopology | None = None,
) -> str:
    """List what one host lacks: of each class what it lacks, or what its cells do."""
    missing = {room.name: int(room.lack[row]) for room in rooms}
    in_cells = {
        name: amount
        for name, amount in _by_class(lack or CellLack()).items()
        if amount > missing.get(name, 0)
    }
    told = {**missing, **in_cells}
    said = [
        f"{amount} {_name(amount, name)}" for name, amount in told.items() if amount
    ]
    pages = describe_pages(guest) if guest and MEMORY_MB in in_cells else ""
    where = " in its NUMA cells" if in_cells else ""
    return (
        f"{' and '.join(filter(None, [', '.join(said[:-1]), said[-1]]))}{pages}{where}"
    )


def _name(amount: int, name: str) -> str:
    words = _WORDS.get(name, name)
    return words.removesuffix("s") if amount == 1 and name in _WORDS else words


def _by_class(lack: CellLack) -> dict[str, int]:
    return {
        PCPU: lack.dedicated_cpus,
        VCPU: lack.shared_cpus,
        MEMORY_MB: lack.memory_mib,
    }


def _tell_bars(rooms: Iterable[_Room]) -> Iterator[str]:
    """Say what bars every host whatever room it had."""
    for room in rooms:
        if room.helps.any():
            continue
        words, most = _WORDS.get(room.name, room.name), int(room.max_unit.max())
        if not room.total.any():
            yield f"No host that passes all else has any {words}."
        elif most < room.wanted:
            yield f"No host that passes all else gives one guest over {most} {words}."
