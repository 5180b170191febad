"""Builders of Servers and of what they refer to, as the API server gives them."""

from typing import Any

from kilonova_api.flavor import Flavor
from kilonova_api.image import Image
from kilonova_api.instance import Instance
from kilonova_api.meta import KubeObject
from kilonova_api.names import API_VERSION, SERVER_FINALIZER, host_namespace
from kilonova_api.network import Network
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup

NAMESPACE = "shop"
CREATED = "2026-01-01T00:00:00Z"
SERVER_UID = "11111111-2222-4333-8444-555555555555"
USER_DATA = "#cloud-config\npackages: [nginx]\n"


def server_manifest(name: str = "web-0", **spec: Any) -> dict[str, Any]:
    """A Server with one NIC, as a person writes it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "Server",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "flavorRef": {"name": "m1.tiny"},
            "imageRef": {"name": "tiny"},
            "networks": [{"name": "eth0", "networkRef": {"name": "private"}}],
        }
        | spec,
    }


def flavor_manifest(name: str = "m1.tiny", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Flavor",
        "metadata": {"name": name},
        "spec": {"vcpus": 1, "ramMiB": 64, "rootGiB": 1} | spec,
    }


def image_manifest(name: str = "tiny", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Image",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "url": "http://127.0.0.1:8000/tiny.qcow2",
            "checksum": "sha256:" + "0" * 64,
            "format": "qcow2",
        }
        | spec,
    }


def network_manifest(name: str = "private", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Network",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"type": "NAT", "cidr": "10.20.0.0/24"} | spec,
    }


def network_status(cidr: str = "10.20.0.0/24", gateway: str = "10.20.0.1") -> Any:
    return {
        "observedGeneration": 1,
        "cidr": cidr,
        "gateway": gateway,
        "reach": "host",
        "conditions": [condition("Ready", "True", "Ready")],
    }


def condition(type_: str, status: str, reason: str, message: str = "") -> Any:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 1,
        "lastTransitionTime": CREATED,
    }


def stored(manifest: dict[str, Any], *, uid: str, **metadata: Any) -> dict[str, Any]:
    """The manifest as the API server would give it back."""
    meta = manifest["metadata"] | {
        "uid": uid,
        "resourceVersion": "1",
        "generation": 1,
        "creationTimestamp": CREATED,
    }
    return manifest | {"metadata": meta | metadata}


def make_server(
    *,
    uid: str = SERVER_UID,
    metadata: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    name: str = "web-0",
    **spec: Any,
) -> Server:
    """A Server of generation 1 that carries our finalizer."""
    meta = {"finalizers": [SERVER_FINALIZER]} | (metadata or {})
    obj = stored(server_manifest(name, **spec), uid=uid, **meta)
    return Server.model_validate(obj | {"status": status or {}})


def make_flavor(**spec: Any) -> Flavor:
    return Flavor.model_validate(stored(flavor_manifest(**spec), uid="flavor-uid"))


def make_image(**spec: Any) -> Image:
    return Image.model_validate(stored(image_manifest(**spec), uid="image-uid"))


def make_network(*, ready: bool = True, **spec: Any) -> Network:
    obj = stored(network_manifest(**spec), uid="network-uid")
    return Network.model_validate(obj | {"status": network_status() if ready else {}})


def group_manifest(name: str = "db", **spec: Any) -> dict[str, Any]:
    """A ServerGroup as a person writes it."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ServerGroup",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"policy": "AntiAffinity"} | spec,
    }


def make_group(*, deleting: bool = False, **spec: Any) -> ServerGroup:
    marks = {"deletionTimestamp": CREATED} if deleting else {}
    obj = stored(group_manifest(**spec), uid="group-uid", **marks)
    return ServerGroup.model_validate(obj)


def make_instance(
    *,
    host: str = "hv1",
    uid: str = SERVER_UID,
    generation: int = 1,
    metadata: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> Instance:
    """An Instance of the Server ``web-0``."""
    meta = {
        "name": uid,
        "namespace": host_namespace(host),
        "uid": f"instance-{host}",
        "resourceVersion": "10",
        "generation": 1,
        "creationTimestamp": CREATED,
    }
    body = {
        "server": {
            "cluster": "c1",
            "namespace": NAMESPACE,
            "name": "web-0",
            "uid": uid,
        },
        "cell": "cell1",
        "host": host,
        "writer": 1,
        "placementGeneration": generation,
        "serverGeneration": 1,
        "buildId": "b1",
        "minAgentVersion": "0.1.0",
        "powerState": "Manual",
        "flavorName": "m1.tiny",
        "flavor": {"vcpus": 1, "ramMiB": 64, "rootGiB": 1},
        "imageName": "tiny",
        "image": image_manifest()["spec"],
        "hostname": "web-0",
    }
    return Instance.model_validate(
        {
            "apiVersion": API_VERSION,
            "kind": "Instance",
            "metadata": meta | (metadata or {}),
            "spec": body | spec,
            "status": status or {},
        }
    )


def reason_of(obj: KubeObject, type_: str = "Ready") -> str | None:
    """The reason of a condition, None where it is not there."""
    found = obj.status.condition(type_)  # type: ignore[attr-defined]
    return None if found is None else found.reason
