"""Where placing by NUMA is meant to differ from Nova 34, and why.

The comparison with Nova counts these by name; any other difference fails it.
"""

from enum import StrEnum


class NumaDeviation(StrEnum):
    """A meant difference from nova.virt.hardware, Nova 34."""

    ASCENDING_THREADS = "AscendingThreads"
    """Cores and their threads are taken in ascending order. Nova takes them in the
    order in which CPython happens to iterate sets of numbers."""

    JUDGED_AFRESH = "JudgedAfresh"
    """A guest cell is judged on each host cell as it was asked for. Nova writes the
    page size and the number of a host cell into the guest cell while trying, and
    remembers verdicts by that number: later host cells are then asked for the first
    one's page size, two guest cells share a verdict, and a guest cell can end up on
    one host cell with the CPUs of another."""

    WHOLE_EMULATOR_CORE = "WholeEmulatorCore"
    """The emulator of a guest that isolates threads gets a core that is free as a
    whole, as the guest's CPUs do. Nova takes any free thread, counts its siblings as
    taken all the same, and fails on the host if they belong to another guest."""

    NODES_WITH_CPUS = "NodesWithCpus"
    """A guest with dedicated CPUs and a node without any CPU is refused at once. In
    Nova it is rejected by every host."""

    EMPTY_WORD = "EmptyWord"
    """An empty hw:cpu_thread_policy says nothing, like other empty words. Nova goes
    on with it until it fits no field."""

    PLAIN_PAGE_SIZE = "PlainPageSize"
    """A page size below 1 KiB, negative, or no whole number of KiB is refused. Nova
    cuts it off, so that -1KB becomes its number for small pages."""

    POSITIVE_MEMORY = "PositiveMemory"
    """A guest node without memory, or with less than none, is refused. Nova only
    checks that the sum is right."""

    BOUNDED_CPU_NUMBERS = "BoundedCpuNumbers"
    """A CPU number of more than five digits is refused where it is read. Nova builds
    the whole set first, so that a short text in an image fills the memory."""

    STRANGE_NUMBERS = "StrangeNumbers"
    """Numbers like +1 or 1_0 in a set of CPUs are refused; Python reads them."""

    HOST_CELL_WITHOUT_CPUS = "HostCellWithoutCpus"
    """A host cell that has no CPU for guests fits no pinned guest cell or one
    without pinned CPUs. Nova ends in a ValueError, and no host is chosen at all."""

    HOST_WITHOUT_PAGES = "HostWithoutPages"
    """The use of a host that tells no page sizes is counted without pages. Nova ends
    in an IndexError."""
