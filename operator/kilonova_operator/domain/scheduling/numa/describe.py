"""A guest's NUMA cells in words, for those who asked for them."""

from kilonova_operator.domain.scheduling.numa.guest import GuestCell, GuestTopology

_SIZES = ((1024**2, "GiB"), (1024, "MiB"))


def describe_guest(guest: GuestTopology) -> str:
    """Say what a guest needs, as ``2 NUMA cells, each with 4 dedicated CPUs ...``."""
    said = [_describe_cell(cell, guest) for cell in guest.cells]
    if len(said) == 1:
        return f"{count_cells(guest)} with {said[0]}"
    if len(set(said)) == 1:
        return f"{count_cells(guest)}, each with {said[0]}"
    return f"{count_cells(guest)}: {'; '.join(said)}"


def count_cells(guest: GuestTopology) -> str:
    """Say how many cells it has, as ``2 NUMA cells``."""
    return _plural(len(guest.cells), "NUMA cell")


def _describe_cell(cell: GuestCell, guest: GuestTopology) -> str:
    parts = []
    if cell.dedicated:
        parts.append(f"{_count(cell.dedicated, 'dedicated CPU')}{_threads(guest)}")
    if cell.shared:
        parts.append(_count(cell.shared, "shared CPU"))
    parts.append(f"{cell.memory_mib} MiB{describe_pages(guest)}")
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _count(cpus: int, what: str) -> str:
    return _plural(cpus.bit_count(), what)


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _threads(guest: GuestTopology) -> str:
    how = {"isolate": " on cores of their own", "require": " on threads of one core"}
    return how.get(guest.thread_policy or "", "")


def describe_pages(guest: GuestTopology) -> str:
    """Say which pages a guest wants, as `` in pages of 2 MiB``; empty if any do."""
    wish = guest.page_wish
    if wish is None:
        return ""
    if wish == "any":
        return " in pages of any size"
    if isinstance(wish, str):
        return f" in {wish} pages"
    for kib, unit in _SIZES:
        if wish % kib == 0:
            return f" in pages of {wish // kib} {unit}"
    return f" in pages of {wish} KiB"
