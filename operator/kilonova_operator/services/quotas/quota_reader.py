"""What a namespace uses and may use, for admins; also where it has no ServerQuota."""

from dataclasses import dataclass

from kilonova_api.admin import QuotaAnswer, QuotaRequest
from kilonova_operator.domain.quota_status import tell_use
from kilonova_operator.services.admin_verbs import BadRequest
from kilonova_operator.services.quotas.directory import QuotaDirectory
from kilonova_operator.services.stores import ApiStore


@dataclass(frozen=True, slots=True)
class QuotaReader:
    """Reads what holds, and what the claims of the namespace take."""

    directory: QuotaDirectory
    api: ApiStore

    async def answer(self, request: QuotaRequest) -> QuotaAnswer:
        """Return what is in use and allowed.

        Raises:
            BadRequest: there is no such namespace.
        """
        kept = await self.directory.find_limits(request.namespace)
        if kept is None:
            raise BadRequest(f"namespace {request.namespace} does not exist")
        used, limits = await self.api.read_usage(kept.namespace_uid), kept.limits
        return QuotaAnswer(
            instances=tell_use(used.instances, limits.instances),
            cores=tell_use(used.cores, limits.cores),
            ram_mib=tell_use(used.ram_mib, limits.ram_mib),
        )
