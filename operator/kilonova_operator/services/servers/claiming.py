"""Choosing a host and claiming it: what was chosen counts until it is claimed."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from kilonova_api.server import Server
from kilonova_operator.domain.groups import build_group_claim
from kilonova_operator.domain.networks.requests import network_id_of
from kilonova_operator.domain.placement import (
    Claim,
    ClaimRequest,
    InstanceMapping,
    NicRequest,
)
from kilonova_operator.domain.refusals import ClaimRefused
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.scheduling.host_table import HostVerdict
from kilonova_operator.domain.scheduling.numa.guest import GuestTopology
from kilonova_operator.domain.scheduling.prefilters.requested_hosts import NotIgnored
from kilonova_operator.domain.scheduling.request import (
    BuildRequest,
    build_amounts,
)
from kilonova_operator.domain.servers.references import References
from kilonova_operator.domain.servers.server_ref import build_server_ref
from kilonova_operator.services.quotas.directory import NamespaceQuota, QuotaDirectory
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.host_recorder import HostRecorder
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.ranking import HostRanking
from kilonova_operator.services.servers.requests import RequestBuilder
from kilonova_operator.services.servers.unknown_guests import UnknownGuests
from kilonova_operator.services.stores import ApiStore

CLAIMED = "Claimed"
"""Outcome of a decision that a claim came of."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which host of its build this is; ``cell`` holds all after the first."""

    number: int = 1
    tried_hosts: tuple[str, ...] = ()
    cell: str | None = None


def build_next_attempt(mapping: InstanceMapping) -> Attempt:
    """Return the attempt that follows a failed build."""
    tried = (*mapping.tried_hosts, mapping.host or "")
    return Attempt(mapping.attempt + 1, tried, mapping.cell)


@dataclass(frozen=True, slots=True)
class HostClaimer:
    """Claims the best host, or the next best where others were faster."""

    api: ApiStore
    duty: Duty
    requests: RequestBuilder
    ranking: HostRanking
    instances: InstanceView
    unknown: UnknownGuests
    quotas: QuotaDirectory
    recorder: HostRecorder

    async def claim_best(
        self, server: Server, found: References, attempt: Attempt
    ) -> tuple[Claim | None, Decision]:
        """Return the claim, and the decision that led to it; None: no host fits.

        Raises:
            ClaimRefused: no other host would change that.
            One of UNREADABLE: flavor, image or a hint cannot be read.
        """
        lost: dict[str, str] = {}
        """What the claim of each host failed that looked as if it had room."""
        while True:
            chosen, request = await self.choose(server, found, attempt, avoided=lost)
            decision = chosen.recount(lost, counted_as=NotIgnored.name)
            if request is None:
                return None, decision
            self.duty.check()
            try:
                with self.ranking.assumed(request):
                    claim = await self.api.claim(self.duty.term(), request)
                    self.ranking.claimed(claim)
                self.recorder.keep(server.metadata.uid, request.decision, decision)
            except ClaimRefused as refused:
                if not refused.another_host_may_do:
                    raise
                lost[request.host] = getattr(refused, "constraint", refused.reason)
                continue
            return claim, decision

    async def choose(
        self,
        server: Server,
        found: References,
        attempt: Attempt,
        *,
        avoided: Iterable[str] = (),
        together: Collection[str] = (),
    ) -> tuple[Decision, ClaimRequest | None]:
        """Choose a host, and build the claim of it; None: no host fits.

        together: uids of Servers whose claims are made with this one.

        Raises:
            One of UNREADABLE: flavor, image or a hint cannot be read.
        """
        quota = await self.quotas.find_limits(server.metadata.namespace or "")
        tried = frozenset((*attempt.tried_hosts, *avoided))

        guest: GuestTopology | None = None

        def ask() -> BuildRequest:
            nonlocal guest
            request = self.requests.build(
                server, found, tried_hosts=tried, cell=attempt.cell
            )
            guest = request.asked.numa
            return request

        keeps_hosts = self.recorder.may_keep(server.metadata.uid)
        decision = self.recorder.count(
            await self.ranking.select(ask, keeps_hosts=keeps_hosts, together=together)
        )
        if decision.host is None:
            return decision, None
        claim = self._build_claim(server, found, decision, attempt, quota=quota)
        if guest is not None:
            numa = self.ranking.numa.build_claim(decision.host, guest)
            claim = replace(claim, numa=numa)
        return decision, claim

    async def explain(
        self, server: Server, found: References, *, most: int | None = None
    ) -> tuple[Decision, list[HostVerdict]]:
        """Say what ``claim_best`` would choose, and why; claim nothing.

        ``most``: of how many hosts, the best first.

        Raises:
            One of UNREADABLE: flavor, image or a hint cannot be read.
        """
        decision = await self.ranking.select(lambda: self.requests.build(server, found))
        return decision, self.ranking.explain(
            self.requests.build(server, found), most=most
        )

    def _build_claim(
        self,
        server: Server,
        found: References,
        decision: Decision,
        attempt: Attempt,
        *,
        quota: NamespaceQuota | None,
    ) -> ClaimRequest:
        if found.flavor is None or found.image is None or decision.host is None:
            raise ValueError(f"Server {server.key} has no flavor, image or host")
        host = decision.host
        told = self.instances.of_server(server.metadata.uid)
        flavor, namespace_uid = found.flavor.spec, quota.namespace_uid if quota else ""
        own, shared = self.ranking.shared.divide(
            host, build_amounts(flavor, found.image.spec.properties)
        )
        return ClaimRequest(
            server=build_server_ref(server, namespace_uid=namespace_uid),
            host=host,
            amounts=own,
            shared=shared,
            nics=_build_nics(server, found),
            object_generation=server.metadata.generation,
            placement_generation_floor=max(
                (i.spec.placement_generation for i in told),
                default=server.status.placement_generation,
            ),
            attempt=attempt.number,
            tried_hosts=attempt.tried_hosts,
            decision=self.recorder.build_entry(
                CLAIMED, decision, attempts=attempt.number
            ),
            held_addresses=self.unknown.list_addresses(),
            quota=quota.limits if quota else None,
            group=build_group_claim(found.group),
            zone=self.ranking.zone_of(host),
            vcpus=flavor.vcpus,
            ram_mib=flavor.ram_mib,
        )


def _build_nics(server: Server, found: References) -> tuple[NicRequest, ...]:
    return tuple(
        NicRequest(
            name=nic.name,
            network_id=network_id_of(network),
            address=nic.fixed_address,
        )
        for nic in server.spec.networks
        if (network := found.networks[nic.name]) is not None
    )
