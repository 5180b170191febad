"""A guest's NUMA cells in words."""

import pytest

from kilonova_operator.domain.scheduling.numa.describe import describe_guest
from kilonova_operator.domain.scheduling.numa.guest import GuestCell, GuestTopology
from support.numa import floating_guest, pinned_guest


@pytest.mark.parametrize(
    ("guest", "words"),
    [
        (floating_guest(1), "1 NUMA cell with 1 shared CPU and 512 MiB"),
        (
            floating_guest(2, 1, page_wish="large", memory_mib=8),
            (
                "2 NUMA cells: 2 shared CPUs and 8 MiB in large pages; "
                "1 shared CPU and 8 MiB in large pages"
            ),
        ),
        (
            pinned_guest(2, thread_policy="isolate", page_wish=1048576),
            (
                "1 NUMA cell with 2 dedicated CPUs on cores of their own and 512 MiB "
                "in pages of 1 GiB"
            ),
        ),
        (
            pinned_guest(2, thread_policy="require", page_wish=4),
            (
                "1 NUMA cell with 2 dedicated CPUs on threads of one core and 512 MiB "
                "in pages of 4 KiB"
            ),
        ),
        (
            floating_guest(1, 1, page_wish="any"),
            "2 NUMA cells, each with 1 shared CPU and 512 MiB in pages of any size",
        ),
        (
            GuestTopology((GuestCell(64, shared=1, dedicated=2),), cpu_policy="mixed"),
            "1 NUMA cell with 1 dedicated CPU, 1 shared CPU and 64 MiB",
        ),
        (GuestTopology((GuestCell(64),)), "1 NUMA cell with 64 MiB"),
    ],
)
def test_it_is_said_what_a_host_must_have(guest: GuestTopology, words: str) -> None:
    assert describe_guest(guest) == words
