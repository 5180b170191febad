"""Names that several programs must spell alike.

A name stands here when two roles meet over it: a label one sets and another
selects by, a namespace one makes and another watches. Everything else lives
with the code that uses it.
"""

import hashlib
import re

GROUP = "compute.kilonova.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

SERVER_FINALIZER = f"{GROUP}/server"
"""Holds a Server until its guest is gone, or its delete is recorded for good."""

RESTRICTED_LABEL_PREFIX = "node-restriction.kubernetes.io/"
"""Labels of a Node that its kubelet cannot set."""
HYPERVISOR_LABEL = f"{RESTRICTED_LABEL_PREFIX}kilonova-hypervisor"
"""Node label, "true" on hypervisor hosts; the prefix keeps kubelets from setting it."""
CELL_LABEL = f"{RESTRICTED_LABEL_PREFIX}kilonova-cell"
"""Node label: the cell a host belongs to; without it the default cell."""
ZONE_LABEL = "topology.kubernetes.io/zone"

HOST_NAMESPACE_LABEL = f"{GROUP}/host"
"""On every host namespace: the host's name (cut to 63 characters)."""
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "kilonova"

REQUESTED_BY_ANNOTATION = f"{GROUP}/requested-by"
"""Stamped at creation by policy: who asked for the object."""
ADOPT_ANNOTATION = f"{GROUP}/adopt"
"""On a Server: the uuid of a living guest that this Server takes over."""
RECONCILE_ANNOTATION = f"reconcile.{GROUP}/requestedAt"
"""A new value asks for a reconcile; it is echoed in status."""
ALLOW_DELETE_ANNOTATION = f"{GROUP}/allow-delete"
"""On a guarded object: its own name, to say that its deletion is meant."""

HOSTS_NAMESPACE = "kilonova-hosts"
"""Holds one ServiceAccount a host, named as its Node, and nothing else."""

CELL0 = "cell0"
"""The cell of Servers that fit nowhere; it has no hosts."""
CELL0_UUID = "00000000-0000-0000-0000-000000000000"

SUPER_ROLE = "super"
"""The operator's role that schedules: who holds its Lease answers admins."""
OPERATOR_CONTAINER = "operator"
"""Name of the operator's container in its pod."""

SUPER_FIELD_MANAGER = "kilonova-super"
AGENT_FIELD_MANAGER = "kilonova-agent"

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST_PREFIX = "kilonova-host-"
_DNS_LABEL_MAX = 63
_HASH_DIGITS = 8


def role_lease(release: str, role: str) -> str:
    """Return the name of a role's Lease in the operator's namespace."""
    return f"{release}-{role.replace('/', '-')}"


def holder_identity(pod: str, process: str) -> str:
    """Return the holder that a process of a pod is in its Leases.

    A restarted container keeps its pod's name, and what its former self was about
    to write may still be under way: so each process is another holder.
    """
    return f"{pod}_{process}"


def pod_of_holder(identity: str) -> str:
    """Return the pod of a Lease's holder; empty where it names none."""
    return identity.rpartition("_")[0]


def cell_field_manager(cell: str) -> str:
    """Return the field manager of a cell's link and conductor."""
    return f"kilonova-cell-{cell}"


def host_namespace(host: str) -> str:
    """Return the namespace of a host's Instances, Secrets and Lease.

    A name that is a DNS label and short enough is kept as it is; any other is
    cut and closed with 8 hex digits of its SHA-256, so that two hosts whose
    names begin alike never share a mailbox.
    """
    plain = f"{_HOST_PREFIX}{host}"
    if len(plain) <= _DNS_LABEL_MAX and _DNS_LABEL.fullmatch(plain):
        return plain
    digest = hashlib.sha256(host.encode()).hexdigest()[:_HASH_DIGITS]
    room = _DNS_LABEL_MAX - len(_HOST_PREFIX) - _HASH_DIGITS - 1
    kept = re.sub(r"[^a-z0-9-]", "-", host.lower())[:room].strip("-")
    return f"{_HOST_PREFIX}{kept}-{digest}"
