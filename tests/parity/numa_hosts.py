"""Made-up NUMA cells of hosts, in the oracle's form."""

from random import Random
from typing import Any

Cell = dict[str, Any]

_KIB_PER_MIB = 1024
_SMALL_KIB, _BIG_KIB, _HUGE_KIB = 4, 2048, 1048576


def draw_host(random: Random) -> list[Cell] | None:
    """Make up a host: of one make all over, differently used cell by cell."""
    if random.random() < 0.02:
        return None
    make = _Make(random)
    cells = [make.build_cell(random, number) for number in range(make.cells)]
    fullness = random.choice([0.0, 0.2, 0.5, 0.9])
    for cell in cells:
        _use(random, cell, random.uniform(0, fullness))
    return cells


class _Make:
    """What all cells of a host have in common."""

    def __init__(self, random: Random) -> None:
        self.cells = random.choices([1, 2, 3, 4], [3, 5, 1, 3])[0]
        self.threads = random.choices([1, 2, 4], [4, 6, 2])[0]
        self.cores = random.randint(3, 10)
        self.siblings_adjacent = random.random() < 0.5
        self.cells_interleaved = random.random() < 0.2
        self.kind = random.choices(
            ["both", "split", "split threads", "dedicated", "shared"], [4, 5, 2, 2, 1]
        )[0]
        self.pages = random.choices(
            ["none", "small", "big", "huge", "all", "only big"], [2, 4, 3, 1, 4, 1]
        )[0]
        self.memory_mib = random.choice([4096, 6144, 8192, 16384])

    def build_cell(self, random: Random, number: int) -> Cell:
        cores = [self._threads_of(number, core) for core in range(self.cores)]
        shared, dedicated = self._kinds_of_cpus(random, cores)
        usable = shared | dedicated
        siblings = [sorted(usable & set(core)) for core in cores]
        return {
            "id": number,
            "cpuset": sorted(shared),
            "pcpuset": sorted(dedicated),
            "siblings": [core for core in siblings if core],
            "memory": self.memory_mib,
            "mempages": self._draw_pages(random),
            "cpu_usage": 0,
            "memory_usage": 0,
            "pinned_cpus": [],
        }

    def _threads_of(self, cell: int, core: int) -> list[int]:
        if self.cells_interleaved:
            index = core * self.cells + cell
        else:
            index = cell * self.cores + core
        if self.siblings_adjacent:
            return [index * self.threads + n for n in range(self.threads)]
        return [index + n * self.cells * self.cores for n in range(self.threads)]

    def _kinds_of_cpus(
        self, random: Random, cores: list[list[int]]
    ) -> tuple[set[int], set[int]]:
        everything = {cpu for core in cores for cpu in core}
        if self.kind == "both":
            return everything, set(everything)
        if self.kind == "dedicated":
            return set(), everything
        if self.kind == "shared":
            return everything, set()
        if random.random() < 0.02:
            return set(), set()
        shared: set[int] = set()
        dedicated: set[int] = set()
        for core in cores:
            kinds = random.choices(
                ["shared", "dedicated", "own"], [4, 6, 1], k=len(core)
            )
            for cpu, kind in zip(core, kinds, strict=True):
                whole = kinds[0] if self.kind == "split" else kind
                {"shared": shared, "dedicated": dedicated, "own": set()}[whole].add(cpu)
        return shared, dedicated

    def _draw_pages(self, random: Random) -> list[dict[str, int]]:
        sizes = {
            "none": [],
            "small": [_SMALL_KIB],
            "big": [_SMALL_KIB, _BIG_KIB],
            "huge": [_SMALL_KIB, _HUGE_KIB],
            "all": [_SMALL_KIB, _BIG_KIB, _HUGE_KIB],
            "only big": [_BIG_KIB],
        }[self.pages]
        left = self.memory_mib * _KIB_PER_MIB
        pools = []
        for size in reversed(sizes):
            part = (
                left if size == sizes[0] else random.randint(left // 4, 3 * left // 4)
            )
            pools.append(_pool(random, size, part // size))
            left -= part // size * size
        return pools[::-1] if random.random() < 0.8 else pools


def _pool(random: Random, size_kib: int, total: int) -> dict[str, int]:
    reserved = random.randint(0, total) if random.random() < 0.3 else 0
    return {"size_kb": size_kib, "total": total, "used": 0, "reserved": reserved}


def _use(random: Random, cell: Cell, share: float) -> None:
    cell["cpu_usage"] = int(len(cell["cpuset"]) * share * random.choice([1, 1, 2, 4]))
    cell["memory_usage"] = int(cell["memory"] * share * random.choice([0.5, 1, 1, 1.3]))
    pinned = [cpu for cpu in cell["pcpuset"] if random.random() < share]
    if random.random() < 0.3:  # whole cores, as guests that isolate leave them
        taken = set(pinned)
        pinned = sorted(
            {cpu for core in cell["siblings"] if taken & set(core) for cpu in core}
            & set(cell["pcpuset"])
        )
    cell["pinned_cpus"] = pinned
    for pages in cell["mempages"]:
        pages["used"] = int(pages["total"] * random.uniform(0, share))
