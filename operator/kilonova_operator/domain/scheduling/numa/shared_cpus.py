"""CPUs that two guests of one host were given, which must never be."""

from collections.abc import Iterator, Mapping

from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask
from kilonova_operator.domain.scheduling.numa.cpu_spec import format_cpu_spec
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement


def find_shared_cpus(
    guests: Mapping[str, NumaPlacement],
) -> Iterator[tuple[str, str, str]]:
    """Give pairs of guests by name, with the host's CPUs that both were given."""
    taken = {name: _taken_by(placement) for name, placement in guests.items()}
    names = sorted(name for name, cpus in taken.items() if cpus)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            both = taken[first] & taken[second]
            if both:
                yield first, second, format_cpu_spec(both)


def _taken_by(placement: NumaPlacement) -> CpuMask:
    taken = 0
    for cell in placement.cells:
        taken |= cell.taken
    return taken
