"""Whether our kinds stand: a CRD's deletion deletes objects that nobody meant."""

from dataclasses import dataclass
from datetime import datetime

from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import CUSTOM_RESOURCE_DEFINITION
from kilonova_api.meta import KubeObject
from kilonova_api.names import GROUP
from kilonova_api.server import Server


@dataclass(frozen=True, slots=True)
class CrdHealth:
    """Reads our CRDs by name."""

    kube: KubeApi

    async def believes_deletes(self) -> bool:
        """Tell whether a Server's deletionTimestamp can be somebody's wish.

        The API server marks a CRD before it marks the objects, so a read after
        an object's mark was seen shows the CRD's.
        """
        return await self._stands(Server, since=None)

    async def keeps_instances(self, *, since: datetime) -> bool:
        """Tell whether Instances were kept all the time since then."""
        return await self._stands(Instance, since=since)

    async def _stands(self, kind: type[KubeObject], *, since: datetime | None) -> bool:
        name = f"{kind.crd.plural}.{GROUP}"
        found = await self.kube.find(CUSTOM_RESOURCE_DEFINITION, None, name)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return False
        created = datetime.fromisoformat(found["metadata"]["creationTimestamp"])
        return since is None or created <= since
