"""What placements of Servers hold, for admins."""

from dataclasses import dataclass

from kilonova_api.admin import (
    ClaimRow,
    ClaimsAnswer,
    ClaimsRequest,
    ClaimState,
    HeldCell,
)
from kilonova_operator.domain.placement import HeldClaim, InstanceMapping
from kilonova_operator.domain.scheduling.numa.cpu_spec import format_cpu_spec
from kilonova_operator.domain.scheduling.numa.guest import PlacedCell
from kilonova_operator.services.admin_verbs import BadRequest
from kilonova_operator.services.stores import ApiStore

PAGE_SERVERS = 1000


@dataclass(frozen=True, slots=True)
class ClaimLister:
    """Lists claims of a host, of a Server, or all, a page at a time."""

    api: ApiStore
    page_servers: int = PAGE_SERVERS

    async def answer(self, request: ClaimsRequest) -> ClaimsAnswer:
        """Return one page, by uid of the Server.

        Raises:
            BadRequest: a host and a Server, or half of a Server's name.
        """
        if (request.name is None) != (request.namespace is None):
            raise BadRequest("namespace and name must come together")
        if request.name is not None and request.namespace is not None:
            if request.host is not None:
                raise BadRequest("host and name must not come together")
            return await self._of_server(request.namespace, request.name)
        held = await self.api.list_held_claims(
            host=request.host, after=request.after, limit=self.page_servers
        )
        mappings = {
            uid: await self.api.find_mapping(uid)
            for uid in dict.fromkeys(claim.server_uid for claim in held)
        }
        rows = tuple(_describe(claim, mappings[claim.server_uid]) for claim in held)
        is_full = len(mappings) >= self.page_servers
        return ClaimsAnswer(claims=rows, next=held[-1].server_uid if is_full else "")

    async def _of_server(self, namespace: str, name: str) -> ClaimsAnswer:
        mapping = await self.api.hold_by_name(namespace, name)
        if mapping is None:
            return ClaimsAnswer()
        held = await self.api.list_claims(mapping.server.uid)
        return ClaimsAnswer(claims=tuple(_describe(claim, mapping) for claim in held))


def _describe(claim: HeldClaim, mapping: InstanceMapping | None) -> ClaimRow:
    return ClaimRow(
        server=str(mapping.server) if mapping else "",
        uid=claim.server_uid,
        host=claim.host,
        generation=claim.placement_generation,
        state=_judge(claim, mapping),
        amounts=dict(claim.amounts),
        shared={name: dict(amounts) for name, amounts in claim.shared.items()},
        cells=tuple(map(_describe_cell, claim.numa.cells if claim.numa else ())),
    )


def _describe_cell(cell: PlacedCell) -> HeldCell:
    return HeldCell(
        cell=cell.host_cell,
        cpus=format_cpu_spec(cell.taken) if cell.taken else "",
        memory_mib=cell.memory_mib,
        page_size_kib=cell.page_size_kib,
    )


def _judge(claim: HeldClaim, mapping: InstanceMapping | None) -> ClaimState:
    if mapping is None:
        return "Orphan"
    if mapping.queued_for_delete:
        return "Deleting"
    if claim.placement_generation < mapping.placement_generation:
        return "Former"
    return "Retained" if mapping.retained else "Placed"
