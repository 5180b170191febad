"""One flavor or image: read, judged, told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import Key
from kilonova_api.meta import Status
from kilonova_operator.domain.conditions import Judgement, build_conditions
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.storage.kubernetes.statuses import StatusWriter, WithStatus

T = TypeVar("T", bound=WithStatus)


@dataclass(frozen=True, slots=True)
class CatalogueReconciler(Generic[T]):
    """Writes the judgement of one kind's objects to their status."""

    kube: KubeApi
    model: type[T]
    validate: Callable[[Any], T]
    status_model: type[Status]
    judge: Callable[[T], Judgement]
    statuses: StatusWriter
    clock: Clock

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """Judge one object."""
        namespace = key.namespace or None
        found = await self.kube.find(self.model.resource(), namespace, key.name)
        if found is None:
            return None
        obj = self.validate(found)
        generation = obj.metadata.generation
        conditions = build_conditions(
            self.judge(obj),
            current=obj.status.conditions,
            generation=generation,
            now=self.clock.utcnow(),
        )
        status = self.status_model(
            observed_generation=generation, conditions=conditions
        )
        await self.statuses.write(obj, status)
        return None
