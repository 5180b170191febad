"""Members of a group: who they are, who has a host, and who is ready for one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.servers.references import (
    Problem,
    References,
    find_problem,
)
from kilonova_operator.domain.servers.super_step import is_placed
from kilonova_operator.services.informers import BY_GROUP, ServerSummary
from kilonova_operator.services.servers.claiming import HostClaimer
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.group_looks import (
    GroupLooks,
    MemberRead,
    Ready,
)
from kilonova_operator.services.servers.group_refusals import Refused
from kilonova_operator.services.servers.requests import UNREADABLE
from kilonova_operator.services.servers.unplaced import build_refusal


class MemberIndex(Protocol):
    """What is needed of the informer of Servers."""

    def by_index(self, name: str, value: Key) -> Sequence[ServerSummary]:
        """Give the Servers that name a group."""
        ...


@dataclass(frozen=True, slots=True)
class GroupMembers:
    """Finds and reads members; what was read a moment ago is not read again."""

    kube: KubeApi
    references: ReferenceReader
    index: MemberIndex
    claimer: HostClaimer
    looks: GroupLooks[Refused]

    def list_alive(self, group: ServerGroup) -> list[ServerSummary]:
        """List members that nobody deletes, by name."""
        key = Key.of(group.metadata.namespace, group.metadata.name)
        found = self.index.by_index(BY_GROUP, key)
        alive = (member for member in found if not member.deleting)
        return sorted(alive, key=lambda member: member.name)

    def has_host(self, uid: str) -> bool:
        """Tell whether a member is known to have a host; no answer is proof of none."""
        return self.claimer.ranking.placements.find_host(uid) is not None

    async def is_placed(self, uid: str) -> bool:
        """Tell whether a member has a host; who has one must not get another.

        What is in memory is empty after a start, and lacks claims whose answer was
        lost.
        """
        return self.has_host(uid) or is_placed(await self.claimer.api.find_mapping(uid))

    async def read_waiting(
        self, first: Ready, others: Iterable[ServerSummary], group: ServerGroup
    ) -> dict[str, MemberRead]:
        """Read the others without a host, by uid; who must not count is left out."""
        meta, now = first.server.metadata, self.looks.clock.boottime
        reads = {meta.uid: MemberRead(meta.name, now(), meta.generation, first)}
        for member in others:
            known = self.looks.find_read(group.metadata.uid, member)
            if known is None:
                read_at, result = now(), await self._read(member)
                if result is None:
                    continue
                known = MemberRead(member.name, read_at, member.generation, result)
            reads[member.uid] = known
        return reads

    async def _read(self, member: ServerSummary) -> Ready | Problem | None:
        obj = await self.kube.find(Server.resource(), member.namespace, member.name)
        if obj is None or obj["metadata"]["uid"] != member.uid:
            return None
        server = Server.model_validate(obj)
        if not server.metadata.finalizers or server.spec.suspend:
            return None  # its own reconcile holds it first
        found = await self.references.read(server)
        return self._find_problem(server, found) or Ready(server, found)

    def _find_problem(self, server: Server, found: References) -> Problem | None:
        """Return what stops a member by itself, whichever host it would get."""
        problem = find_problem(server, found)
        if problem is not None:
            return problem
        try:
            self.claimer.requests.build(server, found)
        except UNREADABLE as refused:
            return build_refusal(refused)
        return None
