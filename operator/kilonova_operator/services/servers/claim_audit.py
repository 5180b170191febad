"""Whether claims and living Servers are the same sum.

The database is compared with itself in its own snapshots (stores' ``audit``),
and its placements with the Servers of the API server. Those two are read one
after the other while the cloud goes on, so whatever differs is looked at again,
by itself, before it is told.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from kilonova_api.admin import AuditAnswer, AuditFinding, AuditRequest
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.names import CELL0
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping
from kilonova_operator.services.stores import ApiStore

MOST_FINDINGS = 1000
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class _Seen:
    """A living Server as its object shows it."""

    key: Key
    host: str | None


@dataclass(frozen=True, slots=True)
class ClaimAuditor:
    """Compares claims with Servers; writes nothing."""

    api: ApiStore
    kube: KubeApi

    async def answer(self, _request: AuditRequest) -> AuditAnswer:
        """Return what differs."""
        servers = await self._read_servers()
        placed = await self._read_placements()
        findings = [finding async for finding in self._compare(servers, placed)]
        return AuditAnswer(
            servers=sum(seen.host is not None for seen in servers.values()),
            claims=len(placed),
            hosts=len(await self.api.list_host_mappings()),
            findings=tuple(findings[:MOST_FINDINGS]),
            findings_not_shown=max(0, len(findings) - MOST_FINDINGS),
        )

    async def _read_servers(self) -> dict[str, _Seen]:
        found: dict[str, _Seen] = {}
        async for page in self.kube.pages(Server.resource()):
            for obj in page.items:
                host = obj.get("status", {}).get("host")
                found[obj["metadata"]["uid"]] = _Seen(Key.of_object(obj), host)
        return found

    async def _read_placements(self) -> dict[str, str]:
        found: dict[str, str] = {}
        after = ""
        while page := await self.api.list_placements(after=after, limit=_PAGE):
            found |= {placement.server_uid: placement.host for placement in page}
            after = page[-1].server_uid
        return found

    async def _compare(
        self, servers: dict[str, _Seen], placed: dict[str, str]
    ) -> AsyncIterator[AuditFinding]:
        async for finding in self._ask_database():
            yield finding
        for uid in placed.keys() - servers.keys():
            if (mapping := await self._find_lasting(uid)) is not None:
                yield AuditFinding(
                    kind="ClaimWithoutServer",
                    subject=str(mapping.server),
                    message=f"host {mapping.host} is held and the Server (uid {uid}) "
                    "does not exist",
                )
        for uid, seen in servers.items():
            if seen.host is not None and placed.get(uid) != seen.host:
                async for finding in self._judge_server(uid, seen):
                    yield finding

    async def _ask_database(self) -> AsyncIterator[AuditFinding]:
        found = await self.api.audit(limit=MOST_FINDINGS)
        for claim in found.claims_of_nobody:
            yield AuditFinding(
                kind="ClaimOfNobody",
                subject=claim.server_uid,
                message=f"host {claim.host} is held for a Server that no mapping names",
            )
        for mapping in found.unclaimed:
            yield AuditFinding(
                kind="ServerUnclaimed",
                subject=str(mapping.server),
                message=f"it is mapped to host {mapping.host} and holds nothing there",
            )
        for drift in found.usage_drift:
            yield AuditFinding(
                kind="UsageDrift",
                subject=f"namespace uid {drift.namespace_uid}",
                message=f"{drift.kept} is kept and {drift.counted} is counted",
            )

        for clash in found.cpu_clashes:
            yield AuditFinding(
                kind="CpuGivenTwice", subject=clash.first, message=str(clash)
            )

    async def _find_lasting(self, uid: str) -> InstanceMapping | None:
        """Return a placement that a Server should stand behind, and none does."""
        mapping = await self.api.find_mapping(uid)
        if mapping is None or mapping.host is None:
            return None  # released meanwhile
        if mapping.queued_for_delete or mapping.retained:
            return None
        ref = mapping.server
        obj = await self.kube.find(Server.resource(), ref.namespace, ref.name)
        is_there = obj is not None and obj["metadata"]["uid"] == uid
        return None if is_there else mapping

    async def _judge_server(self, uid: str, seen: _Seen) -> AsyncIterator[AuditFinding]:
        obj = await self.kube.find(Server.resource(), *seen.key)
        if obj is None or obj["metadata"]["uid"] != uid:
            return  # deleted meanwhile
        host = obj.get("status", {}).get("host")
        if host is None or obj["metadata"].get("deletionTimestamp"):
            return
        mapping = await self.api.find_mapping(uid)
        told = obj["status"].get("placementGeneration", 0)
        if mapping is not None and mapping.placement_generation > told:
            return  # it just moved, and its status follows
        held = None if mapping is None or mapping.cell == CELL0 else mapping.host
        if held is None:
            yield AuditFinding(
                kind="ServerWithoutClaim",
                subject=str(seen.key),
                message=f"its status names host {host}, and it holds no host",
            )
        elif held != host:
            yield AuditFinding(
                kind="HostDiffers",
                subject=str(seen.key),
                message=f"its status names host {host}, and it holds {held}",
            )
