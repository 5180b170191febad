"""Whether this host is the one that its ComputeHost speaks of."""

from dataclasses import dataclass
from typing import Literal

from kilonova_api.compute_host import ComputeHost


@dataclass(frozen=True, slots=True)
class Standing:
    """The host's identity, judged. Without acceptance no order is acted on.

    ``known``: an identity was accepted for this name, this one or another.
    ``disks``: what a person said of the disks when accepting this host id.
    """

    accepted: bool
    known: bool
    disks: Literal["Kept", "Lost"] | None = None


def judge_standing(host: ComputeHost, *, host_id: str, node_uid: str) -> Standing:
    """Compare the accepted identity with the one found here."""
    status, accept = host.status, host.spec.accept_identity
    same_node = not (status.node_uid and node_uid) or status.node_uid == node_uid
    return Standing(
        accepted=status.host_id == host_id and same_node,
        known=bool(status.host_id),
        disks=accept.disks if accept and accept.host_id == host_id else None,
    )
