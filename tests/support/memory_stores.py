"""The API database and a cell's database in memory.

Their promises are those of services.stores; the real ones keep them against
MariaDB and SQLite in tests/integration/storage.
"""

import copy
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Network
from typing import Any

from kilonova_api.kube.clock import Clock
from kilonova_api.names import CELL0
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.groups import HARD_POLICIES, find_violation
from kilonova_operator.domain.host_records import HostRecord
from kilonova_operator.domain.inventory import ProviderView
from kilonova_operator.domain.order_book import Action, Booking, InstanceFault
from kilonova_operator.domain.placement import (
    BuryRequest,
    CellMapping,
    Claim,
    ClaimRequest,
    DecisionRecord,
    HeldClaim,
    InstanceMapping,
    NicClaim,
    NumaHold,
    Placement,
    Released,
    ServerRef,
    Tombstone,
)
from kilonova_operator.domain.providers import Provider
from kilonova_operator.domain.quota import Usage
from kilonova_operator.domain.refusals import (
    AddressInUse,
    AlreadyPlaced,
    CapacityExceeded,
    ClaimRefused,
    DomainExists,
    GroupViolated,
    MappingNotFound,
    MemberRefused,
    NumaUnfit,
    QuotaExceeded,
    ServerIsDeleted,
)
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement

NETWORK = IPv4Network("10.20.0.0/24")


@dataclass
class MemoryApiStore:
    """Who holds what."""

    clock: Clock
    views: dict[str, ProviderView] = field(default_factory=dict)
    mappings: dict[str, InstanceMapping] = field(default_factory=dict)
    claims: dict[tuple[str, int], HeldClaim] = field(default_factory=dict)
    nics: dict[tuple[str, str], NicClaim] = field(default_factory=dict)
    tombstones: dict[str, Tombstone] = field(default_factory=dict)
    decisions: dict[str, list[DecisionRecord]] = field(default_factory=dict)
    hosts_kept: dict[tuple[str, datetime], HostRecord] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    _macs: Any = field(default_factory=lambda: itertools.count(1))

    # Hosts.

    async def list_providers(
        self, *, sharing: bool = False, after: str = "", limit: int = 500
    ) -> Sequence[Provider]:
        """List none: what aggregates share is tried on real databases."""
        return []

    async def list_cell_mappings(self) -> Sequence[CellMapping]:
        return [CellMapping("cell1", "u", enabled=True, database_id="d")]

    async def list_provider_views(
        self, hosts: Collection[str] | None = None
    ) -> Sequence[ProviderView]:
        return [
            self._view(host) for host in self.views if hosts is None or host in hosts
        ]

    # Placement.

    async def claim(self, term: Term, request: ClaimRequest) -> Claim:
        self.writes.append("claim")
        ref = request.server
        self._check_name(ref)
        before = self.mappings.get(ref.uid)
        if before is not None and before.host and request.attempt <= before.attempt:
            raise AlreadyPlaced(ref, before.host, before.attempt)
        view = self._view(request.host)
        if short := view.find_shortfall(request.amounts):
            wanted = request.amounts[short]
            raise CapacityExceeded(
                request.host, short, wanted=wanted, free=view.free(short)
            )
        floor = max(
            request.placement_generation_floor,
            before.placement_generation if before else 0,
        )
        self._check_quota(request, is_new=before is None or before.host is None)
        self._check_group(request)
        numa = self._find_numa(request)
        nics = self._give_addresses(ref.uid, request)
        amounts = dict(request.amounts)
        held = HeldClaim(ref.uid, floor + 1, request.host, amounts, numa=numa)
        self.claims[ref.uid, floor + 1] = held
        self.nics |= {(ref.uid, nic.name): nic for nic in nics}
        self.mappings[ref.uid] = self._map(
            before, ref, request, cell=view.cell, generation=floor + 1
        )
        self._decide(ref.uid, request.decision)
        claim = await self.find_claim(ref.uid)
        assert claim is not None
        return replace(claim, provider=self._step(request.host))

    async def claim_all(
        self, term: Term, requests: Sequence[ClaimRequest]
    ) -> Sequence[Claim]:
        kept = copy.deepcopy(
            (self.views, self.mappings, self.claims, self.nics, self.decisions)
        )
        made = []
        for request in requests:
            try:
                made.append(await self.claim(term, request))
            except ClaimRefused as refused:
                self.views, self.mappings, self.claims, self.nics, self.decisions = kept
                raise MemberRefused(request.server, request.host, refused) from None
        return made

    async def bury_in_cell0(self, term: Term, request: BuryRequest) -> InstanceMapping:
        self.writes.append("bury")
        self._check_name(request.server)
        now = self.clock.utcnow()
        mapping = InstanceMapping(
            server=request.server,
            instance_uuid=request.instance_uuid or request.server.uid,
            cell=CELL0,
            host=None,
            placement_generation=request.placement_generation_floor,
            object_generation=request.object_generation,
            attempt=0,
            tried_hosts=(),
            queued_for_delete=False,
            retained=False,
            created_at=now,
            updated_at=now,
        )
        self.mappings[request.server.uid] = mapping
        self._decide(request.server.uid, request.decision)
        return mapping

    async def find_claim(self, server_uid: str) -> Claim | None:
        mapping = self.mappings.get(server_uid)
        if mapping is None or mapping.host is None:
            return None
        held = self.claims[server_uid, mapping.placement_generation]
        return Claim(
            server=mapping.server,
            instance_uuid=mapping.instance_uuid,
            cell=mapping.cell,
            host=mapping.host,
            placement_generation=mapping.placement_generation,
            amounts=held.amounts,
            nics=tuple(n for (uid, _), n in self.nics.items() if uid == server_uid),
            attempt=mapping.attempt,
            tried_hosts=mapping.tried_hosts,
            numa=held.numa,
        )

    async def list_numa_placements(
        self, hosts: Collection[str] | None = None
    ) -> Sequence[NumaHold]:
        return [
            NumaHold(held.server_uid, held.placement_generation, held.host, held.numa)
            for held in self.claims.values()
            if held.numa is not None and (hosts is None or held.host in hosts)
        ]

    async def list_claims(self, server_uid: str) -> Sequence[HeldClaim]:
        held = [h for (uid, _), h in self.claims.items() if uid == server_uid]
        return sorted(held, key=lambda h: -h.placement_generation)

    async def list_held_claims(
        self, *, host: str | None = None, after: str = "", limit: int = 500
    ) -> Sequence[HeldClaim]:
        held = sorted(
            (c for c in self.claims.values() if c.server_uid > after),
            key=lambda c: (c.server_uid, -c.placement_generation),
        )
        if host is not None:
            held = [claim for claim in held if claim.host == host]
        uids = sorted({claim.server_uid for claim in held})[:limit]
        return [claim for claim in held if claim.server_uid in uids]

    async def note_object_generation(
        self, term: Term, server_uid: str, generation: int
    ) -> None:
        self.writes.append("note_object_generation")
        known = self.mappings[server_uid]
        newest = max(known.object_generation, generation)
        self.mappings[server_uid] = replace(known, object_generation=newest)

    async def find_mapping(self, server_uid: str) -> InstanceMapping | None:
        return self.mappings.get(server_uid)

    async def find_mapping_by_instance(
        self, instance_uuid: str
    ) -> InstanceMapping | None:
        rows = self.mappings.values()
        return next((r for r in rows if r.instance_uuid == instance_uuid), None)

    async def list_mappings(
        self,
        *,
        cell: str | None = None,
        host: str | None = None,
        after: str = "",
        limit: int = 500,
    ) -> Sequence[InstanceMapping]:
        rows = [
            mapping
            for uid, mapping in sorted(self.mappings.items())
            if uid > after and cell in (None, mapping.cell)
        ]
        return rows[:limit]

    async def list_placements(
        self, *, after: str = "", limit: int = 500
    ) -> Sequence[Placement]:
        placed = [
            Placement(uid, mapping.host, mapping.group_uid, mapping.zone)
            for uid, mapping in sorted(self.mappings.items())
            if uid > after and mapping.host is not None
        ]
        return placed[:limit]

    async def hold_by_name(
        self, namespace: str, name: str, *, but_not: str = ""
    ) -> InstanceMapping | None:
        for uid, mapping in self.mappings.items():
            named = (mapping.server.namespace, mapping.server.name)
            if named == (namespace, name) and uid != but_not and mapping.host:
                return mapping
        return None

    async def adopt(
        self, term: Term, instance_uuid: str, server: ServerRef
    ) -> InstanceMapping:
        self.writes.append("adopt")
        for uid, mapping in list(self.mappings.items()):
            if mapping.instance_uuid == instance_uuid and mapping.retained:
                del self.mappings[uid]
                adopted = replace(
                    mapping, server=server, retained=False, object_generation=0
                )
                self.mappings[server.uid] = adopted
                self._rename(uid, server.uid)
                return adopted
        raise MappingNotFound(server.uid)

    # Deletion.

    async def record_delete(
        self, term: Term, server: ServerRef, *, retain: bool = False
    ) -> InstanceMapping | None:
        self.writes.append("record_delete")
        deleted_at = self.clock.utcnow()
        self.tombstones.setdefault(server.uid, Tombstone(server, deleted_at))
        known = self.mappings.get(server.uid)
        if known is None:
            return None
        queued = replace(known, queued_for_delete=not retain, retained=retain)
        self.mappings[server.uid] = queued
        return queued

    async def release(
        self, term: Term, server_uid: str, placement_generation: int
    ) -> Released:
        self.writes.append("release")
        held = self.claims.pop((server_uid, placement_generation), None)
        left = tuple(await self.list_claims(server_uid))
        finished = not left and self._is_over(server_uid)
        if finished:
            self._forget(server_uid)
        given = (held,) if held else ()
        stepped = tuple(self._step(h.host) for h in given if h.host in self.views)
        return Released(given, left, finished, stepped)

    async def finish_delete(self, term: Term, server_uid: str) -> bool:
        self.writes.append("finish_delete")
        if await self.list_claims(server_uid):
            return False
        self._forget(server_uid)
        return True

    async def forget_unplaced(self, term: Term, server_uid: str) -> bool:
        self.writes.append("forget_unplaced")
        mapping = self.mappings.get(server_uid)
        if mapping is not None and mapping.cell != CELL0:
            return False
        self._forget(server_uid)
        return True

    async def find_tombstone(self, server_uid: str) -> Tombstone | None:
        return self.tombstones.get(server_uid)

    async def record_decision(
        self, term: Term, server_uid: str, decision: DecisionRecord
    ) -> None:
        self.writes.append("record_decision")
        self._decide(server_uid, decision)

    async def keep_hosts(self, term: Term, records: Sequence[HostRecord]) -> None:
        self.writes.append("keep_hosts")
        for record in records:
            known = self.decisions.get(record.server_uid, [])[:3]
            if record.decided_at in [decision.decided_at for decision in known]:
                self.hosts_kept[record.server_uid, record.decided_at] = record

    async def list_hosts_kept(self, server_uid: str) -> Sequence[HostRecord]:
        return [r for r in self.hosts_kept.values() if r.server_uid == server_uid]

    async def list_decisions(self, server_uid: str) -> Sequence[DecisionRecord]:
        return self.decisions.get(server_uid, [])[:3]

    def _check_name(self, ref: ServerRef) -> None:
        if ref.uid in self.tombstones:
            raise ServerIsDeleted(ref)
        for uid, mapping in self.mappings.items():
            names = {str(mapping.server), str(ref)}
            if len(names) == 1 and uid != ref.uid and mapping.host:
                raise DomainExists(ref, mapping.instance_uuid, mapping.host)

    def _map(
        self,
        before: InstanceMapping | None,
        ref: ServerRef,
        request: ClaimRequest,
        *,
        cell: str,
        generation: int,
    ) -> InstanceMapping:
        now = self.clock.utcnow()
        return InstanceMapping(
            server=ref,
            instance_uuid=request.instance_uuid or ref.uid,
            cell=cell,
            host=request.host,
            placement_generation=generation,
            object_generation=request.object_generation,
            attempt=request.attempt,
            tried_hosts=request.tried_hosts,
            queued_for_delete=False,
            retained=False,
            created_at=before.created_at if before else now,
            updated_at=now,
            group_uid=request.group.group_uid if request.group else None,
            zone=request.zone,
            vcpus=request.vcpus or 0,
            ram_mib=request.ram_mib or 0,
        )

    async def read_usage(self, namespace_uid: str) -> Usage:
        """There is one namespace."""
        del namespace_uid
        return self._sum_usage()

    def _sum_usage(self) -> Usage:
        used = Usage()
        for mapping in self.mappings.values():
            if mapping.host is not None and not mapping.queued_for_delete:
                used += Usage(1, mapping.vcpus, mapping.ram_mib)
        return used

    def _check_quota(self, request: ClaimRequest, *, is_new: bool) -> None:
        if request.quota is None or not is_new:
            return
        used = self._sum_usage()
        wanted = Usage(1, request.vcpus or 0, request.ram_mib or 0)
        if excess := request.quota.find_excess(used, wanted):
            raise QuotaExceeded(request.server.namespace, excess)

    def _check_group(self, request: ClaimRequest) -> None:
        group = request.group
        if group is None or group.policy not in HARD_POLICIES:
            return
        others: dict[str, int] = {}
        for mapping in self.mappings.values():
            if mapping.group_uid == group.group_uid and (
                mapping.host is not None and mapping.server.uid != request.server.uid
            ):
                domain = group.domain_of(mapping.host, mapping.zone)
                others[domain] = others.get(domain, 0) + 1
        domain = group.domain_of(request.host, request.zone)
        if why := find_violation(group, domain, others):
            raise GroupViolated(group, domain, why)

    def _find_numa(self, request: ClaimRequest) -> NumaPlacement | None:
        if request.numa is None:
            return None
        others = {
            f"{uid}/{generation}": held.numa
            for (uid, generation), held in self.claims.items()
            if held.host == request.host and held.numa is not None
        }
        place = request.numa.find_place(others)
        if place is None:
            raise NumaUnfit(request.host, request.numa.guest)
        return place

    def _give_addresses(self, uid: str, request: ClaimRequest) -> list[NicClaim]:
        taken = {nic.address for nic in self.nics.values()} | request.held_addresses
        given = []
        for nic in request.nics:
            if known := self.nics.get((uid, nic.name)):
                given.append(known)
                continue
            if nic.address in taken:
                raise AddressInUse(nic.name, nic.address or "", nic.network_id)
            free = (str(a) for a in NETWORK.hosts() if int(a) & 0xFF > 2)
            address = nic.address or next(a for a in free if a not in taken)
            taken.add(address)
            mac = f"fa:16:3e:00:00:{next(self._macs):02x}"
            given.append(NicClaim(nic.name, nic.network_id, address, mac))
        return given

    def _step(self, host: str) -> ProviderView:
        known = self.views[host]
        self.views[host] = replace(known, generation=known.generation + 1)
        return self._view(host)

    def _view(self, host: str) -> ProviderView:
        claims = sum(held.host == host for held in self.claims.values())
        return replace(self.views[host], used=self._used(host), claims=claims)

    def _used(self, host: str) -> Mapping[str, int]:
        used: dict[str, int] = {}
        for held in self.claims.values():
            if held.host == host:
                for name, amount in held.amounts.items():
                    used[name] = used.get(name, 0) + amount
        return used

    def _decide(self, uid: str, decision: DecisionRecord | None) -> None:
        if decision is not None:
            self.decisions.setdefault(uid, []).insert(0, decision)

    def _is_over(self, uid: str) -> bool:
        return uid in self.mappings and self.mappings[uid].queued_for_delete

    def _forget(self, uid: str) -> None:
        self.mappings.pop(uid, None)
        self.decisions.pop(uid, None)
        self.hosts_kept = {k: r for k, r in self.hosts_kept.items() if k[0] != uid}
        self.nics = {key: nic for key, nic in self.nics.items() if key[0] != uid}

    def _rename(self, old: str, new: str) -> None:
        self.claims = {
            (new if uid == old else uid, generation): (
                replace(held, server_uid=new) if uid == old else held
            )
            for (uid, generation), held in self.claims.items()
        }
        self.nics = {
            (new if uid == old else uid, name): nic
            for (uid, name), nic in self.nics.items()
        }
        if old in self.decisions:
            self.decisions[new] = self.decisions.pop(old)
        self.hosts_kept = {
            (new if uid == old else uid, moment): (
                replace(record, server_uid=new) if uid == old else record
            )
            for (uid, moment), record in self.hosts_kept.items()
        }


@dataclass
class MemoryCellStore:
    """A cell's order book and history."""

    clock: Clock
    bookings: dict[str, Booking] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    faults: list[InstanceFault] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)

    async def book_instance(
        self, term: Term, booking: Booking, *, action: Action | None = None
    ) -> None:
        self.writes.append("book_instance")
        booked_at: datetime = booking.booked_at or self.clock.utcnow()
        self.bookings[booking.instance_uuid] = replace(booking, booked_at=booked_at)
        if action is not None:
            self.actions[action.request_id] = action

    async def find_instance(self, instance_uuid: str) -> Booking | None:
        return self.bookings.get(instance_uuid)

    async def list_instances(
        self, *, host: str | None = None, after: str = "", limit: int = 500
    ) -> Sequence[Booking]:
        rows = [b for uuid, b in sorted(self.bookings.items()) if uuid > after]
        return rows[:limit]

    async def forget_instance(
        self, term: Term, instance_uuid: str, *, action: Action | None = None
    ) -> None:
        self.writes.append("forget_instance")
        self.bookings.pop(instance_uuid, None)

    async def record_action(self, term: Term, action: Action) -> None:
        self.writes.append("record_action")
        self.actions[action.request_id] = action

    async def list_actions(self, instance_uuid: str) -> Sequence[Action]:
        return [a for a in self.actions.values() if a.instance_uuid == instance_uuid]

    async def record_fault(self, term: Term, fault: InstanceFault) -> None:
        self.writes.append("record_fault")
        self.faults.append(fault)

    async def list_faults(self, instance_uuid: str) -> Sequence[InstanceFault]:
        return [f for f in self.faults if f.instance_uuid == instance_uuid]
