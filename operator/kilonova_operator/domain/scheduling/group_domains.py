"""Where a group's members are: by host, as in Nova, or by availability zone.

Hosts without a zone are one zone together.
"""

from collections import Counter

import numpy as np

from kilonova_operator.domain.scheduling.columns import HostColumns, IntArray
from kilonova_operator.domain.scheduling.request import GroupView


def count_members(columns: HostColumns, group: GroupView) -> IntArray:
    """Return how many members each host's domain holds, shape (H,)."""
    counts: IntArray = np.zeros(len(columns), np.int64)
    known = {
        row: count
        for host, count in group.members.items()
        if (row := columns.find_row(host)) is not None
    }
    if not group.by_zone:
        counts[list(known)] = list(known.values())
        return counts
    zones = columns.codes("zone")
    in_zone: Counter[int] = Counter()
    for row, count in known.items():
        in_zone[int(zones[row])] += count
    for zone, count in in_zone.items():
        counts[zones == zone] = count
    return counts


def find_rows_of_members(columns: HostColumns, group: GroupView) -> IntArray:
    """Return the rows of every host whose domain holds members."""
    if group.by_zone:
        return np.flatnonzero(count_members(columns, group))
    return columns.find_rows(host for host, n in group.members.items() if n)
