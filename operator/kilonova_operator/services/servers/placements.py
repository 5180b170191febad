"""Which Servers are on which hosts, and who of a group is where.

Read from the database at the start, and kept current by what this process claims
and releases: while it leads, nobody else does either. A claim that is under way
counts already.
"""

from collections.abc import Iterable, Mapping

from kilonova_operator.domain.placement import Placement
from kilonova_operator.services.stores import ApiStore

Place = tuple[str, str | None]
"""Host, and uid of the group."""
_PAGE_ROWS = 10_000


class PlacementIndex:
    """Hosts of Servers by uid, and the members of groups by host."""

    def __init__(self) -> None:
        # Binary, because there may be a million of them.
        self._places: dict[bytes, Place] = {}
        self._shared: dict[Place, Place] = {}
        self._members: dict[str, dict[str, int]] = {}
        self._meanwhile: dict[str, Place | None] | None = None
        """What was placed and released while it is read; None: it is not."""

    def __len__(self) -> int:
        return len(self._places)

    async def read(self, api: ApiStore) -> None:
        """Read where all Servers are; what changes meanwhile stays as it became."""
        meanwhile = self._meanwhile = {}
        found: list[Placement] = []
        try:
            while page := await api.list_placements(
                after=found[-1].server_uid if found else "", limit=_PAGE_ROWS
            ):
                found.extend(page)
        finally:
            self._meanwhile = None
        self.load(found)
        for server_uid, place in meanwhile.items():
            self.put_back(server_uid, place)

    def load(self, placements: Iterable[Placement]) -> None:
        """Replace everything that is known."""
        self._places, self._shared, self._members = {}, {}, {}
        for placement in placements:
            self.add(placement.server_uid, placement.host, placement.group_uid)

    def add(self, server_uid: str, host: str, group_uid: str | None) -> None:
        """Put a Server on a host, whatever host it was on before."""
        self.remove(server_uid)
        place = (host, group_uid)
        if self._meanwhile is not None:
            self._meanwhile[server_uid] = place
        self._places[_key(server_uid)] = self._shared.setdefault(place, place)
        if group_uid is not None:
            members = self._members.setdefault(group_uid, {})
            members[host] = members.get(host, 0) + 1

    def remove(self, server_uid: str) -> None:
        """Forget a Server; may run twice."""
        if self._meanwhile is not None:
            self._meanwhile[server_uid] = None
        place = self._places.pop(_key(server_uid), None)
        if place is None or place[1] is None:
            return
        host, group_uid = place
        members = self._members[group_uid or ""]
        members[host] -= 1
        if members[host] == 0:
            del members[host]
        if not members:
            del self._members[group_uid or ""]

    def find_place(self, server_uid: str) -> Place | None:
        """Return the host and the group of a Server that has a host."""
        return self._places.get(_key(server_uid))

    def put_back(self, server_uid: str, place: Place | None) -> None:
        """Put a Server where it was before; None: nowhere."""
        if place is None:
            self.remove(server_uid)
        else:
            self.add(server_uid, *place)

    def find_host(self, server_uid: str) -> str | None:
        """Return the host of a Server that has one."""
        place = self._places.get(_key(server_uid))
        return None if place is None else place[0]

    def count_members(self, group_uid: str, *, but_not: str) -> Mapping[str, int]:
        """Count the members of a group on each host that has some.

        but_not: uid of the Server that is to be placed.
        """
        members = self._members.get(group_uid, {})
        own = self._places.get(_key(but_not))
        if own is None or own[1] != group_uid:
            return members
        others = dict(members)
        others[own[0]] -= 1
        return {host: count for host, count in others.items() if count}


def _key(server_uid: str) -> bytes:
    try:
        return bytes.fromhex(server_uid.replace("-", ""))
    except ValueError:
        return server_uid.encode()
