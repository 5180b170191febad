"""Ranges whose object is gone: a row wakes nobody, so somebody looks."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.names import CELL0
from kilonova_api.network import ClusterNetwork, Network
from kilonova_operator.domain.addressing import NetworkHolder
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.networks.requests import network_id_of, network_name
from kilonova_operator.domain.refusals import NetworkInUse
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.networks.refused import RefusedNetworks
from kilonova_operator.services.stores import ApiStore

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class NetworkSweep:
    """Gives back ranges that have neither object nor addresses.

    With our finalizer no object goes without giving its range back; it may have
    been taken off by force.
    """

    kube: KubeApi
    store: ApiStore
    term: Callable[[], Term]
    refused: RefusedNetworks

    async def reconcile(self, cell: Key) -> RetryAfter | None:
        """Look at every range, once for all cells."""
        if cell.name != CELL0:
            return None
        # Rows first: whoever gets a range after this is not among them.
        rows = await self._list_rows()
        orphans = find_orphans(rows, await self._list_objects()) if rows else ()
        freed = [row for row in orphans if await self._release(row)]
        if freed:
            self.refused.range_freed()
        return RetryAfter(SWEEP_SECONDS)

    async def _list_rows(self) -> list[NetworkHolder]:
        rows: list[NetworkHolder] = []
        while page := await self.store.list_networks(after=_last_id(rows)):
            rows.extend(page)
        return rows

    async def _list_objects(self) -> list[NetworkHolder]:
        kinds: tuple[type[Network | ClusterNetwork], ...] = (Network, ClusterNetwork)
        found: list[NetworkHolder] = []
        for kind in kinds:
            async for page in self.kube.pages(kind.resource()):
                for obj in page.items:
                    network = kind.model_validate(obj)
                    found.append(
                        NetworkHolder(network_id_of(network), network_name(network))
                    )
        return found

    async def _release(self, row: NetworkHolder) -> bool:
        try:
            await self.store.release_network(self.term(), row.network_id)
        except NetworkInUse:
            return False  # its guests outlive it
        logger.warning("the range of %s is free: its object is gone", row.name)
        return True


def find_orphans(
    rows: list[NetworkHolder], objects: list[NetworkHolder]
) -> tuple[NetworkHolder, ...]:
    """Return the rows that no object holds, or will take over by its name."""
    held = {row.network_id for row in rows}
    ids = {network.network_id for network in objects}
    waiting = {n.name for n in objects if n.network_id not in held}
    return tuple(
        row for row in rows if row.network_id not in ids and row.name not in waiting
    )


def _last_id(rows: list[NetworkHolder]) -> str:
    return rows[-1].network_id if rows else ""
