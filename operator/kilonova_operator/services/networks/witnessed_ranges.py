"""Ranges that Instances are witness of, put back after a database was lost."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from kilonova_api.instance import Instance
from kilonova_operator.domain.addressing import NetworkRequest
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import WitnessedClaim
from kilonova_operator.domain.refusals import RangeInUse
from kilonova_operator.services.stores import ApiStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WitnessedRanges:
    """Puts back the ranges that guests run with, before anybody takes them."""

    store: ApiStore
    term: Callable[[], Term]

    async def restore(
        self, instance: Instance, witness: WitnessedClaim
    ) -> WitnessedClaim:
        """Return the claim with the ids under which its networks are held."""
        ids: dict[str, str] = {}
        for request in build_range_requests(instance):
            try:
                held = await self.store.ensure_network(self.term(), request)
            except RangeInUse as error:
                logger.warning("guest %s: %s", witness.instance_uuid, error)
            else:
                ids[request.network_id] = held.network_id
        nics = (
            replace(nic, network_id=ids.get(nic.network_id, nic.network_id))
            for nic in witness.nics
        )
        return replace(witness, nics=tuple(nics))


def build_range_requests(instance: Instance) -> tuple[NetworkRequest, ...]:
    """Return the ranges of tenants' networks that an Instance is witness of.

    Their objects may be lost as well. A network of the hosts is the admin's
    word, and its pools stand in its object alone.
    """
    namespace = instance.spec.server.namespace
    return tuple(
        NetworkRequest(
            network_id=nic.network_id,
            type="NAT",
            name=f"Network {namespace}/{nic.network.removeprefix('Network/')}",
            cidr=IPv4Network(nic.cidr),
            put_back=True,
        )
        for nic in instance.spec.networks
        if nic.type == "NAT"
    )
