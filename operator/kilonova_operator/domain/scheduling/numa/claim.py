"""What a claim asks of its host's cells, and the place it gets beside others."""

from collections.abc import Mapping
from dataclasses import dataclass

from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.fit import fit_guest
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology, NumaPlacement
from kilonova_operator.domain.scheduling.numa.recount import recount_host
from kilonova_operator.domain.scheduling.numa.topology import HostTopology, NumaState


@dataclass(frozen=True, slots=True)
class NumaClaim:
    """A guest with cells, and the host as whoever chose it knows it.

    Without a topology the host tells of no cells, and nothing fits there.
    """

    guest: GuestTopology
    host: HostTopology | None
    limits: NumaLimits

    def find_place(self, others: Mapping[str, NumaPlacement]) -> NumaPlacement | None:
        """Return a place beside all other guests of the host, by their names.

        A pure function of the two: whoever decides under the host's lock, with
        all claims of the host, gives no CPU, page or memory twice.
        """
        if self.host is None:
            return None
        return self.find_place_on(recount_host(self.host, others).state)

    def find_place_on(self, state: NumaState | None) -> NumaPlacement | None:
        """Return a place on a host whose guests were counted."""
        if state is None or (self.guest.needs_threads and not state.has_threads):
            return None
        return fit_guest(state, self.guest, limits=self.limits)
