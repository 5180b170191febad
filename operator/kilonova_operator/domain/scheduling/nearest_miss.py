"""What the host that came nearest lacks, said without its name."""

from collections.abc import Mapping, Sequence

import numpy as np

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, PCPU, VCPU
from kilonova_operator.domain.scheduling.columns import (
    BoolArray,
    HostColumns,
    IntArray,
)
from kilonova_operator.domain.scheduling.request import RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_WORDS: Mapping[str, str] = {
    VCPU: "{} virtual CPUs",
    PCPU: "{} dedicated CPUs",
    MEMORY_MB: "{} MiB of memory",
    DISK_GB: "{} GiB of disk",
}


def find_nearest_miss(
    columns: HostColumns, rows: IntArray, asked: RequestClass
) -> str | None:
    """Say what the host lacks that would need the least more.

    rows: hosts that pass everything but room. None: there are none, or more room
    would help none of them (a class it has none of, a step size, or a guest that asks
    for more than one guest may have there).
    """
    hosts = HostRows(columns, rows)
    wanted = [(name, amount) for name, amount in asked.amounts if amount]
    sums, possible = np.zeros(len(rows)), hosts.pass_all()
    lacks = []
    for name, amount in wanted:
        lack, helps = _judge_room(hosts, name, amount)
        lacks.append(lack)
        sums += lack / amount
        possible &= helps
    possible &= sums > 0
    if not possible.any():
        return None
    nearest = int(np.where(possible, sums, np.inf).argmin())
    missing = [
        (name, int(lack[nearest]))
        for (name, _), lack in zip(wanted, lacks, strict=True)
    ]
    return f"One host lacks {_list(missing)}."


def _judge_room(hosts: HostRows, name: str, amount: int) -> tuple[IntArray, BoolArray]:
    """Return what each host lacks, and whether more of it would do."""
    total = hosts.amount("total", name)
    capacity = (total - hosts.amount("reserved", name)) * hosts.ratio(name)
    lack = np.ceil(hosts.taken(name) + amount - capacity)
    helps = (total > 0) & (hosts.amount("min_unit", name) <= amount)
    helps &= amount % np.maximum(hosts.amount("step_size", name), 1) == 0
    # Of a host that is smaller than the guest the most grows with the host.
    helps &= (hosts.amount("max_unit", name) >= amount) | (capacity < amount)
    shared = hosts.find_shared(name, amount)
    if shared is not None:
        lack[shared] = 0
        helps |= shared
    return np.maximum(lack, 0).astype(np.int64), helps


def _list(missing: Sequence[tuple[str, int]]) -> str:
    said = [
        _WORDS.get(name, f"{{}} {name}").format(lack) for name, lack in missing if lack
    ]
    return " and ".join(filter(None, [", ".join(said[:-1]), said[-1]]))
