"""Hosts' NUMA cells, and what guests take of them, as the scheduler sees them.

::

    ComputeHost changed ──> its guests counted anew on its new cells
    claim under way     ──> its likely place counted; the database decides on it
    claim made          ──> the place that it got
    released            ──> the others counted anew

Nothing is counted for a request. Guests without cells of their own take nothing of
a host's, as in Nova, and cost nothing here.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from kilonova_api.compute_host import ComputeHost
from kilonova_operator.domain.hosts.host_cells import find_cells
from kilonova_operator.domain.inventory import MEMORY_MB, VCPU
from kilonova_operator.domain.placement import HeldClaim, NumaHold
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.numa.cell_fit import NumaLimits
from kilonova_operator.domain.scheduling.numa.claim import NumaClaim
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology, NumaPlacement
from kilonova_operator.domain.scheduling.numa.recount import count_guest, recount_host
from kilonova_operator.domain.scheduling.numa.topology import HostTopology, NumaState
from kilonova_operator.services.stores import ApiStore

_Key = tuple[str, int]
"""Uid of the Server and generation of the placement; 0 for what is only assumed."""
_ASSUMED = 0
_Change = tuple[str, _Key, NumaPlacement | None]
"""Host, guest, and its place; None: it has none any more."""


@dataclass(slots=True)
class _Host:
    """A host's cells, its guests, and both together."""

    topology: HostTopology | None = None
    guests: dict[_Key, NumaPlacement] = field(default_factory=dict)
    state: NumaState | None = None

    def count(self) -> None:
        """Count all guests anew."""
        if self.topology is None:
            self.state = None
            return
        named = {f"{uid}/{number}": at for (uid, number), at in self.guests.items()}
        self.state = recount_host(self.topology, named).state


class NumaStock:
    """Keeps the columns' NUMA states current."""

    def __init__(self, api: ApiStore, columns: HostColumns) -> None:
        self.stale: set[str] = set()
        """Hosts with a claim whose outcome nobody knows."""
        self._api = api
        self._columns = columns
        self._hosts: dict[str, _Host] = {}
        self._assumed: dict[str, str] = {}
        """Hosts of claims under way that have a place, by uid of the Server."""
        self._meanwhile: list[_Change] | None = None
        """What is claimed and released while the database is read."""

    # What is asked.

    def find_state(self, host: str) -> NumaState | None:
        """Return a host's cells with what is taken of them."""
        found = self._hosts.get(host)
        return None if found is None else found.state

    def build_claim(self, host: str, guest: GuestTopology) -> NumaClaim:
        """Return what a claim asks of a host's cells."""
        found, row = self._hosts.get(host), self._columns.find_row(host)
        topology = None if found is None else found.topology
        cpu_ratio, ram_ratio = (
            1.0 if row is None else float(self._columns.ratio(name)[row])
            for name in (VCPU, MEMORY_MB)
        )
        return NumaClaim(guest, topology, NumaLimits(cpu_ratio, ram_ratio))

    # What changes.

    def set_host(self, host: ComputeHost) -> None:
        """Follow a host's report and spec; its row is there."""
        name = host.metadata.name
        known = self._hosts.get(name)
        topology = find_cells(host, before=known.topology if known else None)
        if known is None:
            if topology is None:
                return
            known = self._hosts[name] = _Host()
        if topology is not known.topology:
            known.topology = topology
            known.count()
        self._columns.set_numa(name, known.state)

    def remove_host(self, name: str) -> None:
        """Forget a host's cells; its guests count again if it comes back."""
        known = self._hosts.get(name)
        if known is None:
            return
        if not known.guests:
            del self._hosts[name]
        known.topology = known.state = None

    def assume(self, server_uid: str, host: str, claim: NumaClaim | None) -> None:
        """Count the place that a claim under way will likely get."""
        if claim is None:
            return
        place = claim.find_place_on(self.find_state(host))
        if place is not None:
            self._assumed[server_uid] = host
            self._add(host, (server_uid, _ASSUMED), place)

    def drop(self, server_uid: str) -> None:
        """Count an assumed claim no more."""
        host = self._assumed.pop(server_uid, None)
        if host is not None:
            self._remove(host, (server_uid, _ASSUMED))

    def keep(self, hold: NumaHold) -> None:
        """Count a claim that was made, in the place it got."""
        self.drop(hold.server_uid)
        key = (hold.server_uid, hold.placement_generation)
        self._note((hold.host, key, hold.placement))
        self._add(hold.host, key, hold.placement)

    def given_back(self, held: HeldClaim) -> None:
        """Count a placement that was released no more."""
        if held.numa is None:
            return
        key = (held.server_uid, held.placement_generation)
        self._note((held.host, key, None))
        if not self._remove(held.host, key):
            self.stale.add(held.host)  # another Server adopted it

    async def read(self, hosts: Collection[str] | None = None) -> None:
        """Read what is held on hosts, on all of them if none is named.

        What this process claims and releases meanwhile counts as well: what was
        read may be older or newer than that.
        """
        stale, self.stale = self.stale, set()
        self._meanwhile = []
        try:
            found = await self._api.list_numa_placements(hosts)
            self._take_in(found, hosts)
        except BaseException:
            self.stale |= stale
            raise
        finally:
            self._meanwhile = None

    @contextmanager
    def nothing_assumed(self, *, but: Collection[str] = ()) -> Iterator[None]:
        """Count claims that are made, and of those under way ``but`` these Servers'."""
        assumed = {uid: host for uid, host in self._assumed.items() if uid not in but}
        hosts = {name: self._hosts[name] for name in set(assumed.values())}
        before = {name: (dict(at.guests), at.state) for name, at in hosts.items()}
        for uid, name in assumed.items():
            self._remove(name, (uid, _ASSUMED))
        try:
            yield
        finally:
            for name, (guests, state) in before.items():
                hosts[name].guests, hosts[name].state = guests, state
                self._columns.set_numa(name, state)

    def _take_in(
        self, found: Collection[NumaHold], hosts: Collection[str] | None
    ) -> None:
        held: dict[str, dict[_Key, NumaPlacement]] = {}
        for hold in found:
            key = (hold.server_uid, hold.placement_generation)
            held.setdefault(hold.host, {})[key] = hold.placement
        for name in (self._hosts.keys() if hosts is None else set(hosts)) | held.keys():
            self._replace(name, held.get(name, {}))

    def _replace(self, name: str, held: Mapping[_Key, NumaPlacement]) -> None:
        known = self._hosts.get(name)
        if known is None:
            if not held:
                return
            known = self._hosts[name] = _Host()
        guests = dict(held)
        guests.update(
            (key, place) for key, place in known.guests.items() if key[1] == _ASSUMED
        )
        for host, key, place in self._meanwhile or ():
            if host == name:
                guests.pop(key, None)
                if place is not None:
                    guests[key] = place
        if guests != known.guests:
            known.guests = guests
            self._recount(name, known)

    def _add(self, name: str, key: _Key, place: NumaPlacement) -> None:
        known = self._hosts.setdefault(name, _Host())
        if key in known.guests:
            return
        known.guests[key] = place
        if known.state is not None:
            known.state = count_guest(known.state, place)
            self._columns.set_numa(name, known.state)

    def _remove(self, name: str, key: _Key) -> bool:
        known = self._hosts.get(name)
        if known is None or known.guests.pop(key, None) is None:
            return False
        self._recount(name, known)
        return True

    def _note(self, change: _Change) -> None:
        if self._meanwhile is not None:
            self._meanwhile.append(change)

    def _recount(self, name: str, known: _Host) -> None:
        known.count()
        self._columns.set_numa(name, known.state)
