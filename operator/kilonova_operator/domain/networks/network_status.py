"""What is said of a network."""

from datetime import datetime
from typing import Literal

from kilonova_api.network import ClusterNetwork, Network, NetworkStatus
from kilonova_operator.domain.addressing import AddressCount, NetworkRange
from kilonova_operator.domain.conditions import Judgement, build_conditions

REACH: dict[str, Literal["host", "l2"]] = {"NAT": "host", "Bridge": "l2"}
"""How far guests reach each other, by the network's type."""


def build_network_status(
    network: Network | ClusterNetwork,
    judgement: Judgement,
    range_: NetworkRange | None,
    used: AddressCount | str | None,
    *,
    now: datetime,
) -> NetworkStatus:
    """Return the status; without a range only the judgement is news.

    A range that was given once stays named: it is the witness by which a lost
    row is put back.
    """
    generation = network.metadata.generation
    conditions = build_conditions(
        judgement,
        current=network.status.conditions,
        generation=generation,
        now=now,
    )
    if range_ is None:
        news = {"observed_generation": generation, "conditions": conditions}
        return network.status.model_copy(update=news)
    return NetworkStatus(
        observed_generation=generation,
        conditions=conditions,
        network_id=range_.network_id,
        cidr=str(range_.cidr),
        gateway=None if range_.gateway is None else str(range_.gateway),
        reach=REACH[network.spec.type],
        used=None if used is None else str(used),
    )
