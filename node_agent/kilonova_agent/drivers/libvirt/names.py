"""Names of what the driver makes in libvirt."""

import hashlib
import re
from typing import Final

METADATA_NAMESPACE: Final = "https://compute.kilonova.dev/domain/v1"
NETWORK_PREFIX: Final = "kn-"
# Filters never get a new parameter: a guest that runs has not got it, and libvirt
# refuses the whole definition then. What needs another one gets another name.
PORT_SECURITY_FILTER: Final = "kilonova-port-security"
HOST_PORTS_FILTER: Final = "kilonova-host-ports"
NAT_PORT_SECURITY_FILTER: Final = "kilonova-nat-port-security"

_HEX = re.compile(r"[0-9a-f]{8}")


def domain_name(uuid: str) -> str:
    """Return the name of a guest's domain."""
    return f"instance-{uuid}"


def network_name(network_id: str) -> str:
    """Return the name of a NAT network's libvirt network."""
    return f"{NETWORK_PREFIX}{_short(network_id)}"


def bridge_name(network_id: str) -> str:
    """Return the name of a NAT network's bridge; the kernel takes 15 characters."""
    return f"knb{_short(network_id)}"


def _short(network_id: str) -> str:
    head = network_id[:8].lower()
    if _HEX.fullmatch(head):
        return head
    return hashlib.sha256(network_id.encode()).hexdigest()[:8]
