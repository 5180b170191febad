"""What the host that came nearest lacks, said without its name."""

from collections.abc import Mapping, Sequence

import numpy as np

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, PCPU, VCPU
from kilonova_operator.domain.scheduling.columns import HostColumns, IntArray
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

    rows: hosts that have everything but room. None: there are none, or their
    lack is no amount (a step size, or a guest bigger than any host may hold).
    """
    if len(rows) == 0:
        return None
    hosts = HostRows(columns, rows)
    wanted = [(name, amount) for name, amount in asked.amounts if amount]
    lacks = np.array([_find_lack(hosts, name, amount) for name, amount in wanted])
    amounts = np.array([amount for _, amount in wanted])
    whole = (lacks / amounts[:, np.newaxis]).sum(axis=0)
    whole[whole == 0] = np.inf
    nearest = int(whole.argmin())
    if not np.isfinite(whole[nearest]):
        return None
    missing = [
        (name, int(lacks[number][nearest])) for number, (name, _) in enumerate(wanted)
    ]
    return f"One host lacks {_list(missing)}."


def _find_lack(hosts: HostRows, name: str, amount: int) -> IntArray:
    total, reserved = hosts.amount("total", name), hosts.amount("reserved", name)
    capacity = (total - reserved) * hosts.ratio(name)
    lack = np.ceil(hosts.taken(name) + amount - capacity)
    whole: IntArray = np.maximum(lack, 0).astype(np.int64)
    return whole


def _list(missing: Sequence[tuple[str, int]]) -> str:
    said = [
        _WORDS.get(name, f"{{}} {name}").format(lack) for name, lack in missing if lack
    ]
    return " and ".join(filter(None, [", ".join(said[:-1]), said[-1]]))
