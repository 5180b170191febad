"""Where a Server would go, and why not elsewhere: the choice without the claim.

The same reader of references and the same scheduler as for a real Server, so that
the answer is the one that a Server would get at this moment. What only a claim
finds out (an address that is taken) is not in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from kilonova_api.admin import (
    AdminMessage,
    DryRunAnswer,
    DryRunProblem,
    DryRunRequest,
)
from kilonova_api.flavor import Flavor
from kilonova_api.meta import ObjectMeta
from kilonova_api.names import API_VERSION
from kilonova_api.server import Server
from kilonova_api.server_spec import ServerSpec
from kilonova_operator.domain.quota import Usage
from kilonova_operator.domain.refusals import QuotaExceeded
from kilonova_operator.domain.servers.references import Problem, find_problem
from kilonova_operator.services.admin_verbs import BadRequest, read_strictly
from kilonova_operator.services.quotas.directory import QuotaDirectory
from kilonova_operator.services.servers.claiming import HostClaimer
from kilonova_operator.services.servers.decisions import judge
from kilonova_operator.services.servers.gather import ReferenceReader
from kilonova_operator.services.servers.hosts import HostDirectory
from kilonova_operator.services.servers.requests import UNREADABLE
from kilonova_operator.services.servers.unplaced import build_refusal
from kilonova_operator.services.stores import ApiStore


@dataclass(frozen=True, slots=True)
class DryRun:
    """Chooses hosts for Servers that nobody created."""

    references: ReferenceReader
    claimer: HostClaimer
    hosts: HostDirectory
    quotas: QuotaDirectory
    api: ApiStore

    async def answer(self, request: DryRunRequest) -> DryRunAnswer:
        """Say where a Server would go. Nothing is written anywhere.

        Raises:
            BadRequest: the manifest is no Server.
        """
        server = read_manifest(request.server)
        found = await self.references.read(server)
        problem = find_problem(server, found)
        if found.flavor is None or found.image is None:
            return DryRunAnswer(server=server.key, problem=_describe(problem))
        try:
            decision, verdicts = await self.claimer.explain(
                server, found, most=request.hosts
            )
        except UNREADABLE as refused:
            refusal = _describe(build_refusal(refused))
            return DryRunAnswer(server=server.key, problem=refusal)
        if problem is None:
            problem = await self._find_quota_problem(server, found.flavor)
        host = decision.host
        return DryRunAnswer(
            server=server.key,
            host=host,
            cell=decision.cell or None,
            zone=None if host is None else self.hosts.zone(host),
            problem=_describe(problem),
            scheduling=decision.build_record(),
            hosts=tuple(judge(verdict) for verdict in verdicts),
            hosts_not_shown=max(0, decision.hosts_considered - len(verdicts)),
        )

    async def _find_quota_problem(
        self, server: Server, flavor: Flavor
    ) -> Problem | None:
        namespace = server.metadata.namespace or ""
        quota = await self.quotas.find_limits(namespace)
        if quota is None:
            return None
        used = await self.api.read_usage(quota.namespace_uid)
        wanted = Usage(1, flavor.spec.vcpus, flavor.spec.ram_mib)
        excess = quota.limits.find_excess(used, wanted)
        return build_refusal(QuotaExceeded(namespace, excess)) if excess else None


class _Metadata(AdminMessage):
    """The metadata that counts; names become parts of URLs, so they are checked."""

    name: str = Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
    namespace: str = Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


class _Manifest(AdminMessage):
    """A Server as a person writes it; what the API server adds is not read."""

    api_version: str = ""
    kind: str = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: dict[str, Any]
    status: dict[str, Any] | None = None


def read_manifest(manifest: Mapping[str, Any]) -> Server:
    """Read a Server's manifest as the API server would: no unknown field.

    Raises:
        BadRequest: what is wrong, and where.
    """
    asked = (manifest.get("apiVersion"), manifest.get("kind"))
    if asked != (API_VERSION, "Server"):
        raise BadRequest(
            f"apiVersion and kind must be {API_VERSION} and Server. One manifest of a "
            "Server is expected"
        )
    read = read_strictly(_Manifest, dict(manifest))
    spec = read_strictly(ServerSpec, read.spec, where="spec")
    given = {k: v for k, v in read.metadata.items() if v is not None}
    known = {name: given[name] for name in _Metadata.model_fields if name in given}
    metadata = read_strictly(_Metadata, known, where="metadata")
    return Server(
        kind="Server", metadata=ObjectMeta(**metadata.model_dump()), spec=spec
    )


def _describe(problem: Problem | None) -> DryRunProblem | None:
    if problem is None:
        return None
    return DryRunProblem(
        reason=problem.reason, message=problem.message, waits=problem.waits
    )
