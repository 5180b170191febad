"""A guest's NUMA cells in words, for those who asked for them."""

from kilonova_operator.domain.scheduling.numa.guest import GuestCell, GuestTopology

_SIZES = ((1024**2, "GiB"), (1024, "MiB"))


def describe_guest(guest: GuestTopology) -> str:
    """Say what a guest needs, as ``2 NUMA cells, each with 4 dedicated CPUs ...``."""
    said = [_describe_cell(cell, guest) for cell in guest.cells]
    if len(said) == 1:
        return f"1 NUMA cell with {said[0]}"
    if len(set(said)) == 1:
        return f"{len(said)} NUMA cells, each with {said[0]}"
    return f"{len(said)} NUMA cells: {'; '.join(said)}"


def _describe_cell(cell: GuestCell, guest: GuestTopology) -> str:
    parts = []
    if cell.dedicated:
        parts.append(f"{_count(cell.dedicated, 'dedicated CPU')}{_threads(guest)}")
    if cell.shared:
        parts.append(_count(cell.shared, "shared CPU"))
    parts.append(f"{cell.memory_mib} MiB{_pages(guest)}")
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))


def _count(cpus: int, what: str) -> str:
    count = cpus.bit_count()
    return f"{count} {what}{'' if count == 1 else 's'}"


def _threads(guest: GuestTopology) -> str:
    how = {"isolate": " on cores of their own", "require": " on threads of one core"}
    return how.get(guest.thread_policy or "", "")


def _pages(guest: GuestTopology) -> str:
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
