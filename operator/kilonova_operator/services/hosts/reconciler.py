"""One host: its objects, its identity, its cell, its capacity, its status.

Gather (Node, ComputeHost, heartbeat, Pods), decide (domain/hosts), write (the
API database first, the status last): whoever reads the status may rely on what
the database holds.
"""

from dataclasses import dataclass

from kilonova_api.compute_host import ComputeHost, ComputeHostStatus
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import Key
from kilonova_api.names import host_namespace
from kilonova_operator.domain.conditions import Judgement, stalled
from kilonova_operator.domain.hosts.host_conditions import (
    CapacityFinding,
    HostRemarks,
    build_host_conditions,
)
from kilonova_operator.domain.hosts.host_status import (
    HostFacts,
    decide_scheduling,
    judge_host,
)
from kilonova_operator.domain.hosts.host_use import HostUse, build_host_use
from kilonova_operator.domain.hosts.identity import (
    Identity,
    IdentityVerdict,
    JudgedIdentity,
    judge_identity,
)
from kilonova_operator.domain.hosts.nodes import NodeSummary
from kilonova_operator.domain.hosts.pins import find_pin_conflicts
from kilonova_operator.domain.hosts.traits import list_unknown_traits
from kilonova_operator.domain.hosts.zones import ZoneVerdict, ZoneWishes, decide_zone
from kilonova_operator.domain.refusals import HostUnmapped
from kilonova_operator.services.aggregates.index import AggregateIndex
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.hosts.capacity import HostCapacity
from kilonova_operator.services.hosts.cells import CellOfHost
from kilonova_operator.services.hosts.heartbeats import HeartbeatMonitor
from kilonova_operator.services.hosts.registration import (
    HostNamespaceTaken,
    HostRegistrar,
)
from kilonova_operator.services.informers import BY_HOST, Informers
from kilonova_operator.storage.kubernetes.statuses import StatusWriter

_BELIEVED = {
    IdentityVerdict.SAME,
    IdentityVerdict.FIRST,
    IdentityVerdict.ACCEPTED,
}
# Nothing tells that a claim was given back.
_LOOK_AGAIN_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found of a host, and what its status is built from."""

    facts: HostFacts
    pin: Identity | None
    remarks: HostRemarks


@dataclass(frozen=True, slots=True)
class HostReconciler:
    """Keeps ComputeHosts in step with their Nodes and agents."""

    kube: KubeApi
    informers: Informers
    aggregates: AggregateIndex
    registrar: HostRegistrar
    heartbeats: HeartbeatMonitor
    cells: CellOfHost
    capacity: HostCapacity
    statuses: StatusWriter
    pacer: CountPacer
    clock: Clock

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """Bring one host up to date; ``key`` is the Node's and the ComputeHost's."""
        node = self.informers.nodes.find(key)
        refusal = None
        if node is not None and node.hypervisor:
            refusal = await self._register(key.name)
        found = await self.kube.find(ComputeHost.resource(), None, key.name)
        if found is None:
            self.heartbeats.drop_host(key.name)
            return None
        host = ComputeHost.model_validate(found)
        self.heartbeats.add_host(key.name, host.status.state)
        return await self._update(host, node, refusal)

    async def _register(self, host: str) -> Judgement | None:
        refusal: Judgement | None = None
        try:
            await self.registrar.ensure(host)
        except HostNamespaceTaken as taken:
            refusal = stalled(taken.reason, str(taken))
        await self.registrar.ensure_compute_host(host)
        return refusal

    async def _update(
        self, host: ComputeHost, node: NodeSummary | None, refusal: Judgement | None
    ) -> RetryAfter | None:
        name = host.metadata.name
        identity = _judge_identity(host, node)
        cell, cell_refusal = await self.cells.place(name, node)
        facts = HostFacts(
            host=host,
            node=node,
            identity=identity.verdict,
            heartbeat=self.heartbeats.judge.state(name),
            cell=cell or "",
            refusal=refusal or cell_refusal,
        )
        capacity = CapacityFinding()
        if identity.verdict in _BELIEVED and cell is not None:
            capacity = await self._report_capacity(facts)
        remarks = HostRemarks(
            zone=self._decide_zone(host, node),
            capacity=capacity,
            unknown_traits=list_unknown_traits(host),
            pin_conflicts=find_pin_conflicts(
                host, self.informers.instances.by_index(BY_HOST, name)
            ),
        )
        again = await self._write(_Found(facts, identity.pin, remarks))
        if again is None and capacity.overcommitted:
            return RetryAfter(_LOOK_AGAIN_SECONDS)
        return again

    async def _report_capacity(self, facts: HostFacts) -> CapacityFinding:
        try:
            return await self.capacity.report(facts.host.metadata.name, facts)
        except HostUnmapped:
            # The database is an older one than the one we mapped it in.
            await self.cells.load()
            raise

    def _decide_zone(self, host: ComputeHost, node: NodeSummary | None) -> ZoneVerdict:
        name, shown = host.metadata.name, host.status
        zones = (a.spec.availability_zone for a in self.aggregates.of_host(name))
        return decide_zone(
            ZoneWishes(
                of_aggregates=[zone for zone in zones if zone is not None],
                of_node=shown.zone if node is None else node.zone,
            ),
            shown=shown.zone,
            judged_before=shown.observed_generation >= 0,
            holds_servers=bool(self.informers.instances.by_index(BY_HOST, name)),
        )

    async def _write(self, found: _Found) -> RetryAfter | None:
        host = found.facts.host
        uid, shown = host.metadata.uid, host.status
        use = self._build_use(host)
        counts_differ = (use.servers, use.vcpus, use.memory) != (
            shown.servers,
            shown.vcpus,
            shown.memory,
        )
        wait_seconds = self.pacer.left_seconds(uid) if counts_differ else 0.0
        if wait_seconds:
            use = HostUse(shown.servers, shown.vcpus, shown.memory)
        written = await self.statuses.write(host, self._build_status(found, use))
        if written and counts_differ and not wait_seconds:
            self.pacer.note_written(uid)
        return RetryAfter(wait_seconds) if wait_seconds else None

    def _build_use(self, host: ComputeHost) -> HostUse:
        instances = self.informers.instances.by_index(BY_HOST, host.metadata.name)
        inventories = self.capacity.find(host.metadata.name)
        if inventories is None:  # since this process started; what is shown stays
            shown = host.status
            return HostUse(len(instances), shown.vcpus, shown.memory)
        return build_host_use(instances, inventories)

    def _build_status(self, found: _Found, use: HostUse) -> ComputeHostStatus:
        facts, pin = found.facts, found.pin
        host, shown = facts.host, facts.host.status
        judgement = judge_host(facts)
        generation = host.metadata.generation
        now = self.clock.utcnow().replace(microsecond=0)
        return ComputeHostStatus(
            observed_generation=generation,
            conditions=build_host_conditions(
                judgement,
                found.remarks,
                current=shown.conditions,
                generation=generation,
                now=now,
            ),
            state=facts.state,
            scheduling=decide_scheduling(facts, judgement),
            cell=facts.cell or None,
            zone=found.remarks.zone.zone,
            namespace=host_namespace(host.metadata.name),
            host_id=None if pin is None else pin.host_id,
            node_uid=None if pin is None else pin.node_uid,
            servers=use.servers,
            vcpus=use.vcpus,
            memory=use.memory,
            pod_pages=self.capacity.list_pod_pages(host.metadata.name),
            last_seen_at=shown.last_seen_at if facts.state == shown.state else now,
        )


def _judge_identity(host: ComputeHost, node: NodeSummary | None) -> JudgedIdentity:
    status, report = host.status, host.status.agent
    pinned = (
        Identity(status.host_id, status.node_uid)
        if status.host_id and status.node_uid
        else None
    )
    return judge_identity(
        pinned,
        reported=None if report is None else Identity(report.host_id, report.node_uid),
        node_uid=None if node is None else node.uid,
        accepted=host.spec.accept_identity,
    )
