"""Whether an order still stands, before a guest of it starts for the first time.

A build that failed so that another host may succeed is given to another host. An
agent that is cut off does not hear of that, and would build the guest a second
time: when it tries again, or when the image arrives. So an order that was not
heard just now is read anew. A guest that ran already needs none of this: it is
given to no other host, and starts again without the API server.
"""

from collections.abc import Callable
from dataclasses import dataclass

from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock, Deadline

# Builds in a row hear each other's events, and need not ask.
FRESH_SECONDS = 5.0
_ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class OrderCheck:
    """Compares our copy of an order with the API server's."""

    kube: KubeApi
    clock: Clock
    get_heard_at: Callable[[], float]
    """When the copy was last known to be current, as boot time."""

    async def is_current(self, wanted: Instance) -> bool:
        """Tell whether the order is still as we know it.

        Raises:
            KubeError: nobody can tell; come again.
        """
        if self.clock.boottime() - self.get_heard_at() < FRESH_SECONDS:
            return True
        meta = wanted.metadata
        found = await self.kube.list(  # which an agent may, for its informer
            Instance.resource(),
            meta.namespace,
            field_selector=f"metadata.name={meta.name}",
            deadline=Deadline.after(self.clock, _ASK_SECONDS),
        )
        return (meta.uid, meta.generation) in [
            (obj["metadata"]["uid"], obj["metadata"]["generation"])
            for obj in found.items
        ]
