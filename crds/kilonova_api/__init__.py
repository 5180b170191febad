"""The API of Kilonova: one pydantic model a kind, and the CRDs made of them.

The operator, the node agent, the command line and the tests share this package
and nothing else. Models are frozen: an object read from the API server is a
fact, and a change is a new object handed to server-side apply.
"""

from kilonova_api.cell import Cell
from kilonova_api.compute_host import ComputeHost
from kilonova_api.flavor import Flavor
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.image import ClusterImage, Image
from kilonova_api.instance import Instance
from kilonova_api.network import ClusterNetwork, Network
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_api.server_quota import ServerQuota

KINDS = (
    Cell,
    ClusterImage,
    ClusterNetwork,
    ComputeHost,
    Flavor,
    HostAggregate,
    Image,
    Instance,
    Network,
    Server,
    ServerGroup,
    ServerQuota,
)
"""Every kind that is shipped, in the order of their names."""

__all__ = [
    "KINDS",
    "Cell",
    "ClusterImage",
    "ClusterNetwork",
    "ComputeHost",
    "Flavor",
    "HostAggregate",
    "Image",
    "Instance",
    "Network",
    "Server",
    "ServerGroup",
    "ServerQuota",
]
