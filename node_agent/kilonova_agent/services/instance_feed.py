"""The host's Instances, kept current, and who hears of their changes."""

import logging
from collections.abc import Callable
from random import Random

from kilonova_agent.storage.order_book import OrderBook
from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.informer import Informer, InformerSettings
from kilonova_api.kube.resources import Key

log = logging.getLogger(__name__)

# A new host waits for its RoleBinding by asking; it shall not wait long.
_RETRIES = Backoff(first_seconds=0.5, most_seconds=8.0)
_NOTE_VERSION_SECONDS = 60.0


class InstanceFeed:
    """Mirrors the Instances of the host's namespace."""

    def __init__(
        self,
        kube: KubeApi,
        namespace: str,
        orders: OrderBook,
        *,
        clock: Clock,
        random: Random,
    ) -> None:
        self._namespace = namespace
        self._orders = orders
        self._clock = clock
        self._informer: Informer[Instance] = Informer(
            kube,
            Instance.resource(),
            Instance.model_validate,
            namespace=namespace,
            clock=clock,
            random=random,
            floor=orders.highest_version,
            settings=InformerSettings(backoff=_RETRIES),
            on_store_went_back=self._freeze,
        )

    def on_change(
        self, *, ordered: Callable[[str], None], gone: Callable[[str], None]
    ) -> None:
        """Call ``ordered`` with new orders' names, ``gone`` when one vanished."""

        def hear(key: Key, old: Instance | None, new: Instance | None) -> None:
            if new is None:
                gone(key.name)
            elif old is None or _is_other_order(old, new):
                ordered(key.name)

        self._informer.on_change(hear)

    def find(self, name: str) -> Instance | None:
        """Give an Instance; None when absent, which orders nothing."""
        return self._informer.find(Key(self._namespace, name))

    def get_heard_at(self) -> float:
        """Give when the copy was last known to be current, as boot time."""
        return self._informer.last_heard_at

    def list_names(self) -> list[str] | None:
        """List the Instances' names; None before they were read."""
        if not self._informer.synced:
            return None
        # An Instance that cannot be read is still somebody's guest.
        keys = (*self._informer.items(), *self._informer.unparsable)
        return [key.name for key in keys]

    def list_all(self) -> list[Instance] | None:
        """List the Instances; None while not all of them are known."""
        if not self._informer.synced or self._informer.unparsable:
            return None
        return list(self._informer.items().values())

    async def run(self) -> None:
        """Follow the Instances.

        Raises:
            StoreWentBack: nothing known may be trusted; start anew.
        """
        await self._informer.run()

    async def note_versions(self) -> None:
        """Keep the highest version in the host's memory, now and then."""
        while True:
            await self._clock.sleep(_NOTE_VERSION_SECONDS)
            try:
                await self._orders.note_version(self._informer.highest_version)
            except OSError as error:  # of a full disk; guests need the agent still
                log.warning("the store's version is not written down: %s", error)

    def _freeze(self, seen: int, got: int) -> None:
        log.error("the store went back from %d to %d: orders freeze", seen, got)
        self._orders.freeze(got)


def _is_other_order(old: Instance, new: Instance) -> bool:
    return (
        old.metadata.uid != new.metadata.uid
        or old.metadata.generation != new.metadata.generation
    )
