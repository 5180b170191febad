"""Whether a build may begin on another host than the one where it failed.

The guest has the same addresses wherever it is built, so it must not run twice.
An ordinary refusal says at once that nothing runs; where it does not, the end
is ordered and its answer waited for.
"""

from dataclasses import dataclass

from kilonova_operator.domain.placement import HeldClaim, InstanceMapping
from kilonova_operator.domain.servers.former_host import is_proven_idle
from kilonova_operator.services.servers.former_ends import find_end, is_end_answered
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.stores import ApiStore, CellStore


class FormerHostsUnproven(Exception):
    """Hosts where a build failed may run the guest still."""

    def __init__(self, hosts: tuple[str, ...]) -> None:
        self.hosts = hosts
        super().__init__(f"{', '.join(hosts)} may still run the build that failed")


@dataclass(frozen=True, slots=True)
class FormerHosts:
    """Asks what former hosts have answered."""

    api: ApiStore
    store: CellStore
    instances: InstanceView

    async def check_idle(self, mapping: InstanceMapping) -> None:
        """Raise FormerHostsUnproven unless nothing of the guest runs elsewhere."""
        if mapping.placement_generation <= 1:
            return  # there was none before
        unproven = [
            held.host
            for held in await self.api.list_claims(mapping.server.uid)
            if held.placement_generation < mapping.placement_generation
            and held.host != mapping.host
            and not await self._is_idle(held, mapping)
        ]
        if unproven:
            raise FormerHostsUnproven(tuple(sorted(unproven)))

    async def _is_idle(self, held: HeldClaim, mapping: InstanceMapping) -> bool:
        told = self.instances.of_server(mapping.server.uid)
        if any(i.spec.host == held.host and is_proven_idle(i) for i in told):
            return True
        return is_end_answered(await find_end(self.store, mapping, held))
